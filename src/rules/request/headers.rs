//! Request headers, each readable at most once.

use http::HeaderMap;

use crate::fault::Fault;

/// The headers of a request. A header is read through [`Headers::get`] alone, so that none that is
/// given twice can ever count.
pub struct Headers<'r>(&'r HeaderMap);

impl<'r> Headers<'r> {
    /// Takes the headers, refusing at once what must never come twice.
    ///
    /// # Errors
    /// [`Fault::InvalidParameter`] for a repeated `Host` or `x-acs-*`, and for a name with an underscore.
    pub fn read(map: &'r HeaderMap) -> Result<Self, Fault> {
        let this = Self(map);
        this.get("host")?;
        if let Some(name) = map.keys().find(|name| name.as_str().contains('_')) {
            return Err(Fault::parameter(
                name.as_str(),
                "some servers read the _ in a header's name as -",
            ));
        }
        for name in map
            .keys()
            .filter(|name| name.as_str().starts_with("x-acs-"))
        {
            this.get(name.as_str())?;
        }
        Ok(this)
    }

    /// The value of a header, outer white space removed; an empty one is `Some("")`.
    ///
    /// # Errors
    /// [`Fault::InvalidParameter`] where the header comes twice or its value is not UTF-8.
    pub fn get(&self, name: &str) -> Result<Option<&'r str>, Fault> {
        let mut values = self.0.get_all(name).iter();
        let Some(value) = values.next() else {
            return Ok(None);
        };
        if values.next().is_some() {
            return Err(Fault::parameter(
                name,
                "this header is given more than once",
            ));
        }
        match std::str::from_utf8(value.as_bytes()) {
            Ok(text) => Ok(Some(text.trim_matches([' ', '\t']))),
            Err(_) => Err(Fault::parameter(name, "this header is not UTF-8")),
        }
    }

    /// Names and values of all `x-acs-*` headers, sorted by name.
    ///
    /// # Errors
    /// As [`Headers::get`].
    pub fn acs(&self) -> Result<Vec<(String, String)>, Fault> {
        let mut headers = Vec::new();
        for name in self
            .0
            .keys()
            .filter(|name| name.as_str().starts_with("x-acs-"))
        {
            let value = self.get(name.as_str())?.unwrap_or_default();
            headers.push((name.as_str().to_owned(), value.to_owned()));
        }
        headers.sort_unstable();
        Ok(headers)
    }
}
