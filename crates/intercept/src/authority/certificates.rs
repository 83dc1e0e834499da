//! What certificates say.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use model::Timestamp;
use rcgen::{
    BasicConstraints, CertificateParams, CidrSubnet, DistinguishedName, DnType, ExtendedKeyUsagePurpose,
    GeneralSubtree, IsCa, Issuer, KeyPair, KeyUsagePurpose, NameConstraints, PKCS_ECDSA_P256_SHA256, SanType,
    SerialNumber,
};
use ring::rand::{SecureRandom, SystemRandom};
use rustls_pki_types::CertificateDer;

use super::AuthorityError;

/// How long certificates are valid, from beginning to end: an authority that leaks is worthless tomorrow.
const VALID_FOR: Duration = Duration::from_secs(24 * 60 * 60);
/// How far before `now` they begin, for commands that run under a clock of their own.
const BACKDATED_BY: Duration = Duration::from_secs(60 * 60);
/// The longest common name X.520 allows.
const COMMON_NAME_CHARS_MAX: usize = 64;
/// A name that never resolves (RFC 2606); keeps "nothing permitted" from meaning "everything permitted".
const NOBODY: &str = "nobody.invalid";

/// Root, intermediate, and the key that signs leaves.
pub(super) struct Chain {
    root: CertificateDer<'static>,
    intermediate: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
    period: Period,
}

/// From when until when something is valid.
pub(super) type Period = (SystemTime, SystemTime);

impl Chain {
    pub(super) fn new(
        now: Timestamp,
        name: &str,
        permitted: Option<&[String]>,
    ) -> Result<Self, AuthorityError> {
        let period = period(now, BACKDATED_BY, VALID_FOR)?;
        let root_key = new_key().map_err(failed(name))?;
        let root = root_params(name, period).self_signed(&root_key).map_err(failed(name))?;
        // The root's key ends here; nobody can sign a second intermediate.
        Self::under(name, root.der().clone(), &root_key, period, permitted)
    }

    /// Makes an intermediate for a period, signed by the key of a root.
    pub(super) fn under(
        name: &str,
        root: CertificateDer<'static>,
        root_key: &KeyPair,
        period: Period,
        permitted: Option<&[String]>,
    ) -> Result<Self, AuthorityError> {
        let failed = failed(name);
        let key = new_key().map_err(&failed)?;
        let signing = format!("{name} signing");
        let mut params = authority_params(&signing, IsCa::Ca(BasicConstraints::Constrained(0)), period);
        params.name_constraints = permitted.map(constraints).transpose()?;
        params.use_authority_key_identifier_extension = true;
        let root_params = root_params(name, period);
        let intermediate =
            params.signed_by(&key, &Issuer::from_params(&root_params, root_key)).map_err(failed)?;
        Ok(Self { root, intermediate: intermediate.der().clone(), issuer: Issuer::new(params, key), period })
    }

    pub(super) fn root_der(&self) -> &[u8] {
        &self.root
    }

    pub(super) fn intermediate(&self) -> CertificateDer<'static> {
        self.intermediate.clone()
    }

    /// Signs a certificate that is good for `names`.
    pub(super) fn leaf(
        &self,
        key: &KeyPair,
        names: Vec<SanType>,
    ) -> Result<CertificateDer<'static>, rcgen::Error> {
        let mut params = CertificateParams::default();
        (params.not_before, params.not_after) = (self.period.0.into(), self.period.1.into());
        params.serial_number = Some(serial());
        // Not a host name: clients that still look here must find nothing that could match or break a constraint.
        params.distinguished_name = common_name("outlast");
        params.subject_alt_names = names;
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        Ok(params.signed_by(key, &self.issuer)?.der().clone())
    }
}

/// Makes a P-256 key: 20 times faster to make and use than RSA, and every client of the table takes it.
pub(super) fn new_key() -> Result<KeyPair, rcgen::Error> {
    KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)
}

/// Returns the period that begins so long before `now`.
pub(super) fn period(
    now: Timestamp,
    backdated_by: Duration,
    valid_for: Duration,
) -> Result<Period, AuthorityError> {
    let seconds = u64::try_from(now.as_second()).map_err(|_| AuthorityError::Clock)?;
    let begin = UNIX_EPOCH + Duration::from_secs(seconds).saturating_sub(backdated_by);
    Ok((begin, begin + valid_for))
}

/// Returns what a root says of itself: it signs intermediates, and these sign leaves alone.
pub(super) fn root_params(name: &str, period: Period) -> CertificateParams {
    authority_params(name, IsCa::Ca(BasicConstraints::Constrained(1)), period)
}

/// Says that no certificate could be made for a subject.
pub(super) fn failed(subject: &str) -> impl Fn(rcgen::Error) -> AuthorityError {
    |source| AuthorityError::Certificate { subject: subject.to_owned(), source }
}

fn authority_params(name: &str, is_ca: IsCa, period: Period) -> CertificateParams {
    let mut params = CertificateParams::default();
    (params.not_before, params.not_after) = (period.0.into(), period.1.into());
    params.serial_number = Some(serial());
    params.distinguished_name = common_name(name);
    params.is_ca = is_ca;
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

fn common_name(name: &str) -> DistinguishedName {
    let mut subject = DistinguishedName::new();
    // From the end, so that the root's name and the intermediate's stay different.
    let skipped = name.chars().count().saturating_sub(COMMON_NAME_CHARS_MAX);
    subject.push(DnType::CommonName, name.chars().skip(skipped).collect::<String>());
    subject
}

/// Two certificates of one issuer must not share a number; 16 random bytes, the first bit clear and not zero.
fn serial() -> SerialNumber {
    let mut bytes = [0; 16];
    SystemRandom::new().fill(&mut bytes).expect("the kernel gives randomness");
    bytes[0] = (bytes[0] & 0x7f) | 0x40;
    SerialNumber::from_slice(&bytes)
}

/// Permits these names and nothing else. A kind of name that has no permitted entry is unrestricted (RFC 5280, 4.2.1.10),
/// so that host names always get one and addresses are excluded whole where none is permitted.
fn constraints(permitted: &[String]) -> Result<NameConstraints, AuthorityError> {
    let mut subtrees = vec![GeneralSubtree::DnsName(NOBODY.to_owned())];
    let mut excluded = Vec::new();
    let (mut has_v4, mut has_v6) = (false, false);
    for name in permitted {
        let bare = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
        match bare.parse::<IpAddr>() {
            Ok(address) => {
                has_v4 |= address.is_ipv4();
                has_v6 |= address.is_ipv6();
                let bits = if address.is_ipv4() { 32 } else { 128 };
                subtrees.push(GeneralSubtree::IpAddress(CidrSubnet::from_addr_prefix(address, bits)));
            }
            Err(_) => subtrees.push(GeneralSubtree::DnsName(host_name(name)?)),
        }
    }
    for (has_one, everything) in
        [(has_v4, IpAddr::from(Ipv4Addr::UNSPECIFIED)), (has_v6, IpAddr::from(Ipv6Addr::UNSPECIFIED))]
    {
        if !has_one {
            excluded.push(GeneralSubtree::IpAddress(CidrSubnet::from_addr_prefix(everything, 0)));
        }
    }
    Ok(NameConstraints { permitted_subtrees: subtrees, excluded_subtrees: excluded })
}

/// Nothing but host names: the library panics at others, and an empty one would permit everything.
fn host_name(name: &str) -> Result<String, AuthorityError> {
    let host = name.trim_end_matches('.').to_ascii_lowercase();
    let is_name = host.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'));
    if !is_name || host.is_empty() || host.starts_with('.') {
        return Err(AuthorityError::Name { name: name.to_owned() });
    }
    Ok(host)
}
