// Named tests in turn, their outcomes as outcomes.py writes them.
'use strict';
const fs = require('fs');

module.exports = async function run(cases) {
  const file = fs.openSync(process.env.OUTCOMES, 'w');
  for (const [name, body] of Object.entries(cases)) {
    let outcome = 'passed';
    let why = '';
    try {
      await body();
    } catch (error) {
      outcome = 'failed';
      why = String(error.message).split('\n')[0];
    }
    fs.writeSync(file, `${name}\t${outcome}\t${why}\n`);
  }
  fs.closeSync(file);
};
