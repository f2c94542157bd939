package probe

import (
	"crypto/sha256"
	"crypto/x509"
	"sync"
	"time"
)

// remembered keeps values for as long as they are good. It holds most at a time, and
// forgets an eighth, any, when there would be more: whatever is forgotten is found out
// anew. The oldest are no better to forget: all are met in turn.
type remembered[K comparable, V any] struct {
	most int
	mu   sync.Mutex
	kept map[K]dated[V]
}

type dated[V any] struct {
	value V
	until time.Time
}

// get returns a value, and whether it is still good.
func (r *remembered[K, V]) get(key K, now time.Time) (value V, good bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	d, ok := r.kept[key]
	return d.value, ok && now.Before(d.until)
}

func (r *remembered[K, V]) put(key K, value V, until time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.kept == nil {
		r.kept = map[K]dated[V]{}
	}
	if _, has := r.kept[key]; !has && len(r.kept) >= r.most {
		rest := r.most - max(1, r.most/8)
		for k := range r.kept {
			if delete(r.kept, k); len(r.kept) <= rest {
				break
			}
		}
	}
	r.kept[key] = dated[V]{value, until}
}

// chains remembers the chains that were verified, by the hash of all that was
// presented. The roots of a Prober do not change, but those that the system
// verifies with may: hence recheck.
type chains struct {
	trusted remembered[[sha256.Size]byte, verified]
}

const (
	recheck = time.Hour
	// maxChains bounds the memory: an entry has some 3 KiB, and only an authority
	// that is trusted could make one larger.
	maxChains = 2048
)

func newChains() *chains {
	return &chains{remembered[[sha256.Size]byte, verified]{most: maxChains}}
}

// verify verifies a chain, or remembers that it did. A chain that is not trusted is
// verified each time: it costs somebody who has none of our authorities nothing to
// make up one more.
func (c *chains) verify(chain []*x509.Certificate, roots *x509.CertPool, now time.Time) verified {
	h := sha256.New()
	for _, cert := range chain {
		_, _ = h.Write(cert.Raw) // never fails (hash.Hash); DER says its own length
	}
	key := [sha256.Size]byte(h.Sum(nil))
	if v, good := c.trusted.get(key, now); good {
		return v
	}
	v := verify(chain, roots, now)
	if v.trust.Trusted {
		c.trusted.put(key, v, v.until)
	}
	return v
}
