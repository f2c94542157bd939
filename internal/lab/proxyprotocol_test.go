package lab_test

import (
	"crypto/tls"
	"io"
	"net"
	"net/netip"
	"testing"

	"driftprobe/internal/lab"
)

func TestModePROXYServesOnlyWhomAHeaderIntroduces(t *testing.T) {
	cert, err := lab.SelfSigned(lab.CertSpec{Names: []string{"a.example"}})
	if err != nil {
		t.Fatal(err)
	}
	b, err := lab.NewBalancer(netip.MustParseAddrPort("127.0.0.1:0"), cert)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	b.SetMode(lab.ModePROXY)
	for header, served := range map[string]bool{
		"PROXY TCP4 10.0.0.1 10.0.0.2 40000 443\r\n": true,
		"PROXY TCP6 fd00::1 fd00::2 40000 443\r\n":   true,
		"":                                       false,
		"PROXY UNKNOWN\r\n":                      false,
		"PROXY TCP4 10.0.0.1 10.0.0.2 40000\r\n": false,
		"HELLO TCP4 10.0.0.1 10.0.0.2 40000 443\r\n": false,
	} {
		c, err := net.Dial("tcp", b.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(c, header); err != nil {
			t.Fatal(err)
		}
		err = tls.Client(c, &tls.Config{ServerName: "a.example", InsecureSkipVerify: true}).Handshake()
		if (err == nil) != served {
			t.Errorf("%q: %v", header, err)
		}
		_ = c.Close()
	}
}
