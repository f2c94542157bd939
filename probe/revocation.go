package probe

import (
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/binary"
	"math/big"
	"slices"
	"sync"
	"time"
)

const (
	// maxList bounds one revocation list in bytes, maxEntries all that are remembered
	// (16 bytes each), maxLists their number.
	maxList    = 4 << 20
	maxEntries = 1 << 20
	maxLists   = 512
	// listFor is how long a list is good for; retryAfter, when one that could not be
	// had is asked for again.
	listFor    = 4 * time.Hour
	retryAfter = 10 * time.Minute
)

// lists remembers revocation lists by their URL. One is fetched at a time, so that
// one is in memory at a time; who comes meanwhile does without.
type lists struct {
	fetching sync.Mutex
	mu       sync.Mutex
	known    map[string]*list
	entries  int
}

// list is what is kept of a revocation list.
type list struct {
	// signer is the authority that signed it, by its key.
	signer  [sha256.Size]byte
	revoked []revoked // by serial
	made    time.Time // this update, as it says
	until   time.Time // next update
	again   time.Time // when to ask for it again
	had     bool      // it was fetched once
}

// revoked is one entry: a hash of the serial, since when in seconds of Unix time, and
// why.
type revoked struct {
	serial uint64
	since  uint32
	reason uint8
}

// listed says what the authority's revocation list says of the leaf; nil if that is
// not known. Only a path that verifies is asked about: then the URL is the word of an
// authority that is trusted. A list that cannot be had is no finding, and once a
// certificate was on one that stays true.
func (l *look) listed(ctx context.Context) *Statement {
	if l.settings.SkipLists || !l.verified.trust.Trusted || l.verified.issuer == nil {
		return nil
	}
	leaf, issuer := l.chain[0], l.verified.issuer
	for _, from := range leaf.CRLDistributionPoints[:min(len(leaf.CRLDistributionPoints), 2)] {
		known := l.lists.get(from)
		if (known == nil || !l.seen.At.Before(known.again)) && l.lists.fetching.TryLock() {
			known = l.refresh(ctx, from, issuer, known)
			l.lists.fetching.Unlock()
		}
		if known != nil && known.had && known.signer == sha256.Sum256(issuer.RawSubjectPublicKeyInfo) {
			return known.about(leaf.SerialNumber)
		}
	}
	return nil
}

// refresh fetches a list and returns what is known then: if it cannot be had, what
// was known before.
func (l *look) refresh(ctx context.Context, from string, issuer *x509.Certificate, before *list) *list {
	fresh := &list{}
	if before != nil {
		*fresh = *before
	}
	fresh.again = l.seen.At.Add(retryAfter)
	if der, err := l.fetch(ctx, from, maxList); err == nil {
		if read, err := x509.ParseRevocationList(der); err == nil && read.CheckSignatureFrom(issuer) == nil {
			signer := sha256.Sum256(issuer.RawSubjectPublicKeyInfo)
			// An older list of the same authority comes from a mirror that lags, or from
			// somebody on the way: nothing is taken back because of it.
			if !fresh.had || fresh.signer != signer || !read.ThisUpdate.Before(fresh.made) {
				fresh = kept(read)
				fresh.signer = signer
			}
			fresh.again = l.seen.At.Add(listFor)
		}
	} else if ctx.Err() != nil {
		return before // we ran out of time: that says nothing of the list
	}
	l.lists.put(from, fresh)
	return fresh
}

// kept makes the short form of a list.
func kept(r *x509.RevocationList) *list {
	const released = 8 // removeFromCRL
	l := &list{had: true, made: r.ThisUpdate, until: r.NextUpdate.UTC(), revoked: make([]revoked, 0, len(r.RevokedCertificateEntries))}
	others := false // RFC 5280 section 5.3.3: those of another authority follow
	for _, e := range r.RevokedCertificateEntries {
		others = others || slices.ContainsFunc(e.Extensions, func(x pkix.Extension) bool { return x.Id.Equal(asn1.ObjectIdentifier{2, 5, 29, 29}) })
		if e.ReasonCode != released && !others {
			since := max(0, min(e.RevocationTime.Unix(), 1<<32-1))
			l.revoked = append(l.revoked, revoked{hash(e.SerialNumber), uint32(since), uint8(min(max(e.ReasonCode, 0), 255))})
		}
	}
	slices.SortFunc(l.revoked, func(a, b revoked) int { return cmp.Compare(a.serial, b.serial) })
	return l
}

func (l *list) about(serial *big.Int) *Statement {
	i, found := slices.BinarySearchFunc(l.revoked, hash(serial), func(r revoked, h uint64) int { return cmp.Compare(r.serial, h) })
	s := &Statement{Says: Good, Until: l.until}
	if found {
		s.Says = Revoked
		s.Revoked, s.Reason = time.Unix(int64(l.revoked[i].since), 0).UTC(), reasonText(int(l.revoked[i].reason))
	}
	return s
}

// hash shortens a serial. Serials are chosen by an authority that we trust, and a
// million of them meet by chance once in 2^24 tries.
func hash(serial *big.Int) uint64 {
	sum := sha256.Sum256(serial.Bytes())
	return binary.BigEndian.Uint64(sum[:])
}

func (l *lists) get(from string) *list {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.known[from]
}

// put keeps a list; one too many makes as many others be forgotten, any, as it needs.
func (l *lists) put(from string, fresh *list) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if old := l.known[from]; old != nil {
		l.entries -= len(old.revoked)
		delete(l.known, from)
	}
	if l.known == nil {
		l.known = map[string]*list{}
	}
	for k, other := range l.known {
		if len(l.known) < maxLists && l.entries+len(fresh.revoked) <= maxEntries {
			break
		}
		l.entries -= len(other.revoked)
		delete(l.known, k)
	}
	l.known[from] = fresh
	l.entries += len(fresh.revoked)
}
