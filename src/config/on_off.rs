//! A key that holds a value or the word "off".

use super::setting::{Complaint, Form, Setting};
use super::value::{Shape, Value};

/// A value, or "off", which is more than any value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd)]
pub enum OnOff<T> {
    On(T),
    Off,
}

impl<T> OnOff<T> {
    /// The value, unless it is off.
    pub fn on(self) -> Option<T> {
        match self {
            Self::On(value) => Some(value),
            Self::Off => None,
        }
    }
}

impl<T: Setting> Setting for OnOff<T> {
    const FORM: Form = T::FORM;

    fn kind() -> String {
        format!("{} or \"off\"", T::kind())
    }

    fn read(value: &Value<'_>) -> Result<Self, Vec<Complaint>> {
        match &value.shape {
            Shape::Text(text) if text == "off" => Ok(Self::Off),
            _ => T::read(value).map(Self::On),
        }
    }

    fn show(&self) -> Option<String> {
        match self {
            Self::On(value) => value.show(),
            Self::Off => Some("\"off\"".to_owned()),
        }
    }
}
