//! Reading of JSON with little code.

use serde::Deserialize;

/// Reads a value from a text. `serde_json::from_str` is another copy of the parser for bytes.
pub fn from_text<'text, T: Deserialize<'text>>(text: &'text str) -> serde_json::Result<T> {
    serde_json::from_slice(text.as_bytes())
}

/// Implements `Deserialize` for a struct with a default: it has the members that are absent, unless they are
/// `required`. Unknown ones are ignored. All members are to be listed; without one it does not compile.
///
/// The derived implementation is several times as large for each struct: it reads arrays, too, and keeps every member
/// apart until the last one is read.
macro_rules! deserialize_members {
    (
        $type:ident { $($member:ident),+ $(,)? }
        $(required { $($required:ident),+ $(,)? })?
    ) => {
        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(
                deserializer: D,
            ) -> Result<$type, D::Error> {
                struct Members;

                impl<'de> serde::de::Visitor<'de> for Members {
                    type Value = $type;

                    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        f.write_str(concat!("struct ", stringify!($type)))
                    }

                    fn visit_map<A: serde::de::MapAccess<'de>>(
                        self,
                        mut map: A,
                    ) -> Result<$type, A::Error> {
                        let mut read = $type::default();
                        let $type { $($member),+ } = &mut read;
                        let mut missing: Vec<&'static str> = vec![$($(stringify!($required)),+)?];
                        while let Some(name) = map.next_key::<String>()? {
                            missing.retain(|required| *required != name);
                            match &*name {
                                $(stringify!($member) => *$member = map.next_value()?,)+
                                _ => {
                                    map.next_value::<serde::de::IgnoredAny>()?;
                                }
                            }
                        }
                        match missing.first() {
                            Some(name) => Err(serde::de::Error::missing_field(name)),
                            None => Ok(read),
                        }
                    }
                }

                deserializer.deserialize_map(Members)
            }
        }
    };
}

pub(crate) use deserialize_members;

#[cfg(test)]
mod tests {
    #[derive(Debug, PartialEq)]
    struct Gauge {
        number: u32,
        name: Option<String>,
    }

    impl Default for Gauge {
        fn default() -> Gauge {
            Gauge { number: 7, name: None }
        }
    }

    deserialize_members!(Gauge { number, name });

    #[derive(Debug, Default, PartialEq)]
    struct Tank {
        name: String,
        gauges: Vec<Gauge>,
        height: u32,
    }

    deserialize_members!(Tank { name, gauges, height } required { name, gauges });

    #[test]
    fn required_members_must_be_there() {
        let read = |json| serde_json::from_str::<Tank>(json).map_err(|error| error.to_string());
        let tank = Tank { name: "a".into(), gauges: Vec::new(), height: 0 };
        assert_eq!(read(r#"{"gauges": [], "name": "a"}"#), Ok(tank));
        for (json, missing) in [
            (r#"{"name": "a", "height": 1}"#, "missing field `gauges`"),
            (r#"{"gauges": []}"#, "missing field `name`"),
        ] {
            let error = read(json).unwrap_err();
            assert!(error.starts_with(missing), "{json}: {error}");
        }
    }

    #[test]
    fn absent_members_have_defaults_and_unknown_ones_are_ignored() {
        let read = |json| serde_json::from_str::<Gauge>(json).map_err(|error| error.to_string());
        let gauge = |number, name: Option<&str>| Ok(Gauge { number, name: name.map(Into::into) });
        assert_eq!(read("{}"), gauge(7, None));
        assert_eq!(read(r#"{"later": {"number": [1]}, "name": "a"}"#), gauge(7, Some("a")));
        assert_eq!(read(r#"{"nam\u0065": "b", "number": 3}"#), gauge(3, Some("b")));
        for wrong in ["[3, null]", r#"{"number": "3"}"#, r#"{"number": null}"#] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
        let error = read("3").unwrap_err();
        assert!(error.contains("expected struct Gauge"), "{error}");
    }
}
