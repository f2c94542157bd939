package probe

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/binary"
	"slices"
	"testing"
	"time"
)

func vectorOf(b []byte) []byte {
	return append(binary.BigEndian.AppendUint16(nil, uint16(len(b))), b...)
}

// sctAt is one timestamp as a log signs it; the signature itself is of no matter here.
func sctAt(at time.Time) []byte {
	b := append([]byte{0}, make([]byte, 32)...)
	b = binary.BigEndian.AppendUint64(b, uint64(at.UnixMilli()))
	return vectorOf(append(b, 0, 0, 4, 3, 0, 1, 9))
}

func TestACertificateIsDatedByTheLogs(t *testing.T) {
	start := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	at := func(m int) time.Time { return start.Add(time.Duration(m) * time.Minute) }
	future := vectorOf(append([]byte{1}, make([]byte, 60)...)) // a version to come
	for name, c := range map[string]struct {
		list []byte
		want time.Time
	}{
		"two logs":                   {vectorOf(slices.Concat(sctAt(at(62)), sctAt(at(60)))), at(60)},
		"another version beside it":  {vectorOf(slices.Concat(future, sctAt(at(60)))), at(60)},
		"before the certificate":     {vectorOf(slices.Concat(sctAt(at(-1)), sctAt(at(60)))), at(60)},
		"after its end":              {vectorOf(sctAt(at(60 * 24 * 100))), time.Time{}},
		"none":                       {nil, time.Time{}},
		"an empty list":              {vectorOf(nil), time.Time{}},
		"cut":                        {vectorOf(sctAt(at(60)))[:20], time.Time{}},
		"a length beyond the end":    {vectorOf([]byte{255, 255, 0}), time.Time{}},
		"one good and one that lies": {vectorOf(append(sctAt(at(60)), 255, 255)), at(60)},
	} {
		t.Run(name, func(t *testing.T) {
			cert := &x509.Certificate{NotBefore: start, NotAfter: start.Add(90 * 24 * time.Hour)}
			if c.list != nil {
				value, err := asn1.Marshal(c.list)
				if err != nil {
					t.Fatal(err)
				}
				cert.Extensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 11129, 2, 4, 2}, Value: value}}
			}
			if got := Logged(cert); !got.Equal(c.want) {
				t.Errorf("dated %v, want %v", got, c.want)
			}
		})
	}
}

func FuzzSCTTimes(f *testing.F) {
	f.Add(vectorOf(sctAt(time.Unix(1, 0))))
	f.Fuzz(func(t *testing.T, list []byte) {
		if n := len(sctTimes(list)); n > len(list)/40 {
			t.Errorf("%d timestamps in %d bytes", n, len(list))
		}
	})
}
