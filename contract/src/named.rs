/// Declares an enum whose values each have one name, for JSON, subjects, object keys, URLs and command lines.
///
/// The enum gets `ALL` (in the order of the declaration), `as_str`, `Display`, `FromStr`, and the same names in serde.
macro_rules! named {
    (
        $(#[$about:meta])*
        pub enum $Type:ident {
            $($(#[$value_about:meta])* $Value:ident = $name:tt,)+
        }
    ) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        #[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
        pub enum $Type {
            $($(#[$value_about])* #[serde(rename = $name)] $Value,)+
        }

        impl $Type {
            /// Every value, in the order of the declaration.
            pub const ALL: [$Type; [$($name),+].len()] = [$($Type::$Value),+];

            /// The stable name of the value.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $($Type::$Value => $name,)+
                }
            }
        }

        impl std::fmt::Display for $Type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl std::str::FromStr for $Type {
            type Err = String;

            fn from_str(text: &str) -> Result<Self, String> {
                $Type::ALL
                    .into_iter()
                    .find(|value| value.as_str() == text)
                    .ok_or_else(|| format!("unknown value {text:?}: expected one of {}", [$($name),+].join(", ")))
            }
        }
    };
}
pub(crate) use named;
