//! The certificate that an operator shows (mutual TLS): its common name is the operator's name. The listener has
//! already verified it.

use time::OffsetDateTime;
use x509_parser::{parse_x509_certificate, time::ASN1Time, x509::AttributeTypeAndValue};

/// Why a certificate names no operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CertificateFault {
    /// It cannot be read.
    #[error("The certificate cannot be read.")]
    Unreadable,
    /// A connection may outlive it.
    #[error("The certificate has expired or is not yet valid.")]
    NotNow,
    /// It has none, or several.
    #[error("The certificate must have exactly one common name, the operator's name.")]
    NoName,
}

/// Whom a certificate (DER, RFC 5280) is of.
///
/// # Errors
/// [`CertificateFault`].
pub fn certificate_operator(der: &[u8], now: OffsetDateTime) -> Result<String, CertificateFault> {
    let (_, certificate) = parse_x509_certificate(der).map_err(|_| CertificateFault::Unreadable)?;
    if !certificate.validity().is_valid_at(ASN1Time::from(now)) {
        return Err(CertificateFault::NotNow);
    }
    let mut names = certificate.subject().iter_common_name();
    match (
        names.next().map(AttributeTypeAndValue::as_str),
        names.next(),
    ) {
        (Some(Ok(name)), None) => Ok(name.to_owned()),
        _ => Err(CertificateFault::NoName),
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair};
    use time::Duration;

    use super::*;

    const NOW: OffsetDateTime = time::macros::datetime!(2026-11-26 12:00:00 UTC);

    fn of(names: &[(DnType, &str)]) -> Vec<u8> {
        let mut params = CertificateParams::default();
        params.not_before = NOW - Duration::DAY;
        params.not_after = NOW + Duration::DAY;
        params.distinguished_name = DistinguishedName::new();
        for (kind, name) in names {
            params.distinguished_name.push(kind.clone(), *name);
        }
        let key = KeyPair::generate().unwrap();
        params.self_signed(&key).unwrap().der().to_vec()
    }

    #[test]
    fn certificate_holder_is_its_only_common_name_while_valid() {
        let ada = of(&[
            (DnType::OrganizationName, "eve"),
            (DnType::CommonName, "ada"),
        ]);
        assert_eq!(certificate_operator(&ada, NOW).as_deref(), Ok("ada"));
        for at in [NOW - Duration::days(2), NOW + Duration::days(2)] {
            assert_eq!(
                certificate_operator(&ada, at),
                Err(CertificateFault::NotNow)
            );
        }
        let nobody = of(&[(DnType::OrganizationName, "ada")]);
        assert_eq!(
            certificate_operator(&nobody, NOW),
            Err(CertificateFault::NoName)
        );
        assert_eq!(
            certificate_operator(b"ada", NOW),
            Err(CertificateFault::Unreadable)
        );
    }
}
