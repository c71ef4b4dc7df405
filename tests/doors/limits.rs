//! How many clients there may be.

use std::io::Read;
use std::thread;

use crate::client::{connect, refusal_before_greeting};
use crate::place::Place;

#[test]
fn an_address_has_its_places() {
    let place = Place::new("[limits]\nmax_clients_per_address = 2");
    let address = place.headgate.address();
    // One that is logged in and one that says nothing.
    let (client, mut silent) = (place.login("127.0.0.5").unwrap(), connect("127.0.0.5", address));
    silent.read_exact(&mut [0]).unwrap();
    let words = refusal_before_greeting("127.0.0.5", address).unwrap();
    assert_eq!(words.code, 1040);
    assert!(words.text().contains("limits.max_clients_per_address"), "{words}");
    assert_eq!(place.refused("address_limit"), 1.0);
    assert!(place.login("127.0.0.6").is_ok(), "others are not concerned");
    drop(silent);
    place.becomes("the place comes back", || place.login("127.0.0.5").is_ok());
    place.reload("[limits]\nmax_clients_per_address = 1");
    assert_eq!(place.login("127.0.0.5").err().unwrap().0, 1040);
    drop(client);
    place.becomes("the place comes back", || place.login("127.0.0.5").is_ok());
}

#[test]
fn a_user_has_its_places() {
    let place = Place::new("[limits]\nmax_clients_per_user = 1\n[clients]\nusers = [\"USER max 2\"]");
    // Somebody who is not proven takes no place of the user's.
    let strangers: Vec<_> = (0..4).map(|_| connect("127.0.0.6", place.headgate.address())).collect();
    let (first, _second) = (place.login("127.0.0.5").unwrap(), place.login("127.0.0.6").unwrap());
    let words = "' has exceeded the 'max_user_connections' resource (current value: 2)";
    let told = (1226, format!("User '{}{words}", place.user));
    assert_eq!(place.login("127.0.0.7").err(), Some(told));
    assert_eq!(place.login_with("127.0.0.7", "wrong").err().unwrap().0, 1045, "a stranger learns nothing");
    assert_eq!(place.refused("user_limit"), 1.0);
    drop((first, strangers));
    place.becomes("the place comes back", || place.login("127.0.0.7").is_ok());
    place.reload("[limits]\nmax_clients_per_user = 1");
    assert_eq!(place.login("127.0.0.7").err().unwrap().0, 1226, "the one that is left is counted");
    place.reload("");
    assert!(place.login("127.0.0.7").is_ok());
}

/// Many come at once; never more than may are inside.
#[test]
fn a_crowd_gets_the_places_and_no_more() {
    let place = Place::new("[clients]\nusers = [\"USER max 3\"]");
    let results: Vec<_> = thread::scope(|scope| {
        let arrive = |_| scope.spawn(|| place.login("127.0.0.5").map_err(|(code, _)| code));
        let crowd: Vec<_> = (0..16).map(arrive).collect();
        crowd.into_iter().map(|one| one.join().unwrap()).collect()
    });
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 3);
    assert!(results.iter().all(|result| result.as_ref().err().is_none_or(|code| *code == 1226)));
}

#[test]
fn there_are_so_many_places_in_all() {
    let place = Place::new("[limits]\nmax_clients = 3");
    let inside: Vec<_> =
        ["127.0.0.5", "127.0.0.6", "127.0.0.7"].map(|from| place.login(from).unwrap()).into();
    let (code, words) = place.login("127.0.0.8").err().unwrap();
    assert_eq!((code, words.as_str()), (1040, "headgate: Too many connections (limits.max_clients)"));
    drop(inside);
    place.becomes("the places come back", || place.login("127.0.0.8").is_ok());
}
