package finding

import (
	"slices"
	"strings"
)

// The codes. Each has an entry in the catalogue and a row in a judge's test.
const (
	DNSStaleRecord      Code = "dns/stale-record"
	DNSMissingRecord    Code = "dns/missing-record"
	DNSNoRecord         Code = "dns/no-record"
	DNSInconsistent     Code = "dns/inconsistent"
	DNSServerDegraded   Code = "dns/nameserver-degraded"
	DNSUnresolvable     Code = "dns/unresolvable"
	DNSTTLExposure      Code = "dns/ttl-exposure"
	DNSCachedStale      Code = "dns/cached-stale"
	DNSDraining         Code = "dns/draining"
	DNSSpecialAddress   Code = "dns/special-address"
	DNSResolverDegraded Code = "dns/resolver-degraded"
	DNSResolverDiffers  Code = "dns/resolver-differs"
	DNSBogus            Code = "dns/bogus"
	DNSOddTTL           Code = "dns/odd-ttl"
	DNSPacketLoss       Code = "dns/packet-loss"

	DNSDelegationMismatch Code = "dns/delegation-mismatch"
	DNSNonconformant      Code = "dns/nonconformant"

	LBReplaced        Code = "lb/replaced"
	LBMissing         Code = "lb/missing"
	LBPending         Code = "lb/pending"
	LBAddressMismatch Code = "lb/address-mismatch"
	LBUnhealthy       Code = "lb/unhealthy"
	LBOrphan          Code = "lb/orphan"
	LBContested       Code = "lb/contested"
	LBWillMove        Code = "lb/will-move"

	HTTPUnreachable Code = "http/unreachable"
	HTTPStatus      Code = "http/status"
	HTTPBody        Code = "http/body"
	HTTPHeader      Code = "http/header"
	HTTPRedirect    Code = "http/redirect"
	HTTPProtocol    Code = "http/protocol"
	HTTPIdentity    Code = "http/identity"
	HTTPSlow        Code = "http/slow"
	HTTPReachable   Code = "http/reachable"

	TLSExpired            Code = "tls/expired"
	TLSExpiring           Code = "tls/expiring"
	TLSNotYetValid        Code = "tls/not-yet-valid"
	TLSNameMismatch       Code = "tls/name-mismatch"
	TLSUntrusted          Code = "tls/untrusted"
	TLSSelfSigned         Code = "tls/self-signed"
	TLSDefaultCertificate Code = "tls/default-certificate"
	TLSHandshake          Code = "tls/handshake"
	TLSIncompleteChain    Code = "tls/incomplete-chain"
	TLSStagingCertificate Code = "tls/staging-certificate"
	TLSWeak               Code = "tls/weak"
	TLSProtocol           Code = "tls/protocol"
	TLSClientCertificate  Code = "tls/client-certificate"
	TLSRevoked            Code = "tls/revoked"
	TLSBadStaple          Code = "tls/bad-staple"
	TLSDiffers            Code = "tls/differs"
	TLSAccepted           Code = "tls/accepted"

	IssuanceRateLimit        Code = "issuance/rate-limit"
	IssuanceReissueLoop      Code = "issuance/reissue-loop"
	IssuanceEphemeralStorage Code = "issuance/ephemeral-storage"
	IssuanceUnexpectedIssuer Code = "issuance/unexpected-issuer"
	IssuanceLogUnread        Code = "issuance/log-unread"

	SelfOffline        Code = "self/offline"
	SelfSourceDegraded Code = "self/source-degraded"
	SelfSourceUnread   Code = "self/source-unread"
	SelfTargetUnmapped Code = "self/target-unmapped"
	SelfNotObserved    Code = "self/not-observed"
	SelfBypassed       Code = "self/bypassed"

	SelfDeclarationUnused Code = "self/declaration-unused"
	SelfOverLimit         Code = "self/over-limit"
)

// Entry explains one code: the text behind "driftprobe explain", the pages in
// docs/findings and the help of metrics.
type Entry struct {
	Code Code
	// Title is the finding in a few words.
	Title string
	// Why says why it matters and how it is recognised.
	Why string
	// Fix says what to do.
	Fix string
	// Reference is where the rule comes from: an RFC section or an API page.
	Reference string
}

// Family returns the part of the code before the slash.
func (c Code) Family() string {
	family, _, _ := strings.Cut(string(c), "/")
	return family
}

// Lookup returns the entry of a code.
func Lookup(c Code) (Entry, bool) {
	all := Catalogue()
	i := slices.IndexFunc(all, func(e Entry) bool { return e.Code == c })
	if i < 0 {
		return Entry{}, false
	}
	return all[i], true
}

// Catalogue returns every code that driftprobe can report, by family.
func Catalogue() []Entry {
	return slices.Concat(dnsEntries(), lbEntries(), httpEntries(), tlsEntries(), issuanceEntries(), selfEntries())
}
