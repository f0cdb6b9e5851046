//! Enums whose values have names: in the database, in JSON, in configuration and on the command line.

/// The text is not the name of a value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{found}` is not one of {}", names.join(", "))]
pub struct UnknownName {
    /// The text.
    pub found: String,
    /// The names that there are.
    pub names: &'static [&'static str],
}

/// Declares an enum and the name of each of its values, once: `ALL`, `NAMES`, `as_str`, `Display`, `FromStr` and serde
/// all read them from here. The derives that every such enum needs are added; others are named as usual.
///
/// ```text
/// text_enum! {
///     /// Where a lamp stands.
///     pub enum Lamp {
///         /// It shines.
///         On = "on",
///         /// It does not.
///         Off = "off",
///     }
/// }
/// ```
// A name is one token, not a `literal`: derives that read `serde(rename)` themselves see through no group.
#[macro_export]
macro_rules! text_enum {
    (
        $(#[$meta:meta])*
        $visibility:vis enum $name:ident {
            $($(#[$variant_meta:meta])* $variant:ident = $text:tt),+ $(,)?
        }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, ::serde::Serialize, ::serde::Deserialize)]
        $visibility enum $name {
            $($(#[$variant_meta])* #[serde(rename = $text)] $variant),+
        }

        impl $name {
            /// Every value, in the order of declaration.
            pub const ALL: [Self; [$($text),+].len()] = [$(Self::$variant),+];

            /// The names, in the same order.
            pub const NAMES: [&'static str; Self::ALL.len()] = [$($text),+];

            /// The name: the same text wherever the value is written.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text),+
                }
            }
        }

        impl ::std::fmt::Display for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl ::std::str::FromStr for $name {
            type Err = $crate::text_enum::UnknownName;

            /// Reads a name as `as_str` writes it.
            fn from_str(text: &str) -> ::std::result::Result<Self, Self::Err> {
                match text {
                    $($text => Ok(Self::$variant),)+
                    _ => Err($crate::text_enum::UnknownName {
                        found: text.to_owned(),
                        names: &Self::NAMES,
                    }),
                }
            }
        }
    };
}

#[cfg(test)]
mod tests {
    text_enum! {
        enum Lamp {
            On = "on",
            HalfOn = "half_on",
        }
    }

    #[test]
    fn name_is_the_same_everywhere() {
        for (lamp, name) in Lamp::ALL.into_iter().zip(Lamp::NAMES) {
            assert_eq!(lamp.as_str(), name);
            assert_eq!(lamp.to_string(), name);
            assert_eq!(name.parse(), Ok(lamp));
            let json = serde_json::to_value(lamp).unwrap();
            assert_eq!(json, name);
            assert_eq!(serde_json::from_value::<Lamp>(json).unwrap(), lamp);
        }
        assert_eq!(format!("{:>4}", Lamp::On), "  on");
        let unknown = "On".parse::<Lamp>().unwrap_err();
        assert_eq!(unknown.to_string(), "`On` is not one of on, half_on");
    }
}
