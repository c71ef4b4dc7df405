//! Where clients may come from, in general and by user.

use crate::client::refusal_before_greeting;
use crate::place::{PASSWORD, Place};

#[test]
fn clients_come_from_where_they_may() {
    let place = Place::new("[clients]\nallow = [\"127.0.0.0/28\"]\ndeny = [\"127.0.0.9\"]");
    let address = place.headgate.address();
    let refused = |from: &str| refusal_before_greeting(from, address).map(|error| error.code);
    assert_eq!(refused("127.0.0.8"), None);
    assert_eq!(refused("127.0.0.9"), Some(1130));
    assert_eq!(refused("127.0.0.16"), Some(1130));
    let words = refusal_before_greeting("127.0.0.9", address).unwrap();
    assert_eq!(words.text(), "Host '127.0.0.9' is not allowed to connect to this MySQL server");
    assert_eq!(place.refused("address"), 3.0);

    let mut inside = place.login("127.0.0.8").unwrap();
    place.reload("[clients]\ndeny = [\"127.0.0.8\"]");
    assert_eq!(refused("127.0.0.8"), Some(1130));
    assert_eq!(refused("127.0.0.9"), None);
    assert_eq!(inside.query("SELECT 1"), Ok("1".to_owned()), "who is inside stays");
}

#[test]
fn a_user_comes_from_where_it_may() {
    let place = Place::new("[clients]\nusers = [\"USER from 127.0.0.5, 127.0.0.16/28\"]");
    let mut client = place.login("127.0.0.5").unwrap();
    assert_eq!(client.query("SELECT 1"), Ok("1".to_owned()));
    assert_eq!(place.clients(), ["127.0.0.5"]);
    assert!(place.login("127.0.0.17").is_ok());

    // Right or wrong, and whether or not Headgate knows it by now, a password from elsewhere is answered as a
    // wrong one from where the user may be.
    let wrong = place.login_with("127.0.0.5", "wrong").err().unwrap();
    assert_eq!(wrong.0, 1045);
    assert!(wrong.1.contains(&format!("'{}'", place.user)), "{wrong:?}");
    assert_eq!(place.login("127.0.0.6").err(), Some(wrong.clone()));
    assert_eq!(place.login_with("127.0.0.6", "wrong").err(), Some(wrong));
    assert_eq!(place.refused("user_address"), 2.0);
    let log = place.headgate.log();
    assert!(log.contains("answered as a wrong password") && log.contains("clients.users"), "{log}");

    place.reload("[clients]\nusers = [\"USER from 127.0.0.6\"]");
    assert!(place.login("127.0.0.6").is_ok());
    assert_eq!(place.login("127.0.0.5").err().unwrap().0, 1045);
    place.reload("[clients]\nusers = [\"somebody_else from 127.0.0.6\"]");
    assert!(place.login("127.0.0.5").is_ok());
}

/// Guesses from where the user may not be do not lock its account.
#[test]
fn nobody_is_locked_out_from_elsewhere() {
    let place = Place::new("[clients]\nusers = [\"USER from 127.0.0.5\"]");
    place.server_sql(&format!(
        "ALTER USER {}@'%' FAILED_LOGIN_ATTEMPTS 2 PASSWORD_LOCK_TIME UNBOUNDED",
        place.user
    ));
    for _ in 0..3 {
        assert_eq!(place.login_with("127.0.0.6", "wrong").err().unwrap().0, 1045);
    }
    assert!(place.login("127.0.0.5").is_ok());
}

/// COM_CHANGE_USER is a login: it gives one user's place up and takes another's, if it may.
#[test]
fn whoever_changes_its_user_is_judged_anew() {
    let place = Place::new("[clients]\nusers = [\"USER max 1\", \"USER_b from 127.0.0.6\"]");
    let other = format!("{}_b", place.user);
    place.server_sql(&format!("CREATE USER {other}@'%' IDENTIFIED BY '{PASSWORD}'"));
    let mut client = place.login("127.0.0.5").unwrap();
    assert_eq!(place.login("127.0.0.6").err().unwrap().0, 1226);
    assert_eq!(client.change_user(&other, PASSWORD).err().unwrap().code, 1045);
    place.becomes("the place comes back", || place.login("127.0.0.6").is_ok());

    place.becomes("nobody is inside", || place.clients().is_empty());
    let mut client = place.login("127.0.0.6").unwrap();
    assert_eq!(client.change_user(&other, PASSWORD), Ok(()));
    assert_eq!(client.query("SELECT SUBSTRING_INDEX(USER(), '@', 1)"), Ok(other));
    let _second = place.login("127.0.0.6").unwrap();
    assert_eq!(client.change_user(&place.user, PASSWORD).err().unwrap().code, 1226);
}
