//! How much a server does beside others.

use std::fmt;

use super::endpoint::Endpoint;
use super::setting::{Complaint, Form, Setting, quoted};
use super::value::{Shape, Value};

/// A server and its weight as the user wrote them: `db3:3306 weight 4`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Weight {
    pub server: Endpoint,
    /// 1 to 1,000.
    pub weight: u16,
}

/// The greatest weight.
const MOST: u16 = 1_000;

impl fmt::Display for Weight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} weight {}", self.server, self.weight)
    }
}

impl Setting for Weight {
    const FORM: Form = Form::Text;

    fn kind() -> String {
        "text `ADDRESS weight NUMBER`".to_owned()
    }

    fn read(value: &Value<'_>) -> Result<Self, Vec<Complaint>> {
        let remedy = "write \"db1:3306 weight 4\", with a number from 1 to 1000";
        let Shape::Text(text) = &value.shape else {
            return Err(vec![Complaint::expected("an address and its weight", value, remedy.to_owned())]);
        };
        let wrong = || vec![Complaint::new(format!("{text:?} is not an address and its weight"), remedy)];
        let (address, number) = text.trim().rsplit_once(" weight ").ok_or_else(wrong)?;
        let server =
            Endpoint::read(&Value { shape: Shape::Text(address.trim().into()), span: value.span.clone() })?;
        let weight =
            number.trim().parse().ok().filter(|weight| (1..=MOST).contains(weight)).ok_or_else(wrong)?;
        Ok(Self { server, weight })
    }

    fn show(&self) -> Option<String> {
        Some(quoted(&self.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Weight, Vec<Complaint>> {
        Weight::read(&Value { shape: Shape::Text(text.into()), span: 0..0 })
    }

    #[test]
    fn a_weight_names_its_server() {
        let weight = read(" db1:3306  weight 4").unwrap();
        assert_eq!((weight.weight, weight.to_string().as_str()), (4, "db1:3306 weight 4"));
        assert_eq!(read("unix:/a weight b weight 7").unwrap().to_string(), "unix:/a weight b weight 7");
        for text in [
            "db1:3306",
            "db1:3306 4",
            "db1:3306 weight 0",
            "db1:3306 weight 1001",
            "db1 weight 3",
            "weight 3",
        ] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
