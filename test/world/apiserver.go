package world

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// APIServer is a kube-apiserver with an etcd of its own, and nothing beside them: no
// controller, no scheduler, no kubelet. Requests are authorized by RBAC and written
// to an audit log.
type APIServer struct {
	*Process
	Etcd *Process
	// At is where it listens, by TLS.
	At netip.AddrPort

	dir    string
	etcd   string // URL
	client *http.Client
}

// adminToken is of an account in system:masters, for the test itself.
const adminToken = "of-the-test-itself"

// StartAPIServer starts both at addresses of the Net, and returns when the server is
// ready. The programs are those of test/apiserver/build.sh.
func StartAPIServer(t testing.TB, n Net) *APIServer {
	t.Helper()
	s := &APIServer{
		dir: makeDir(t, filepath.Join(shortDir(t), "apiserver")),
		At:  netip.AddrPortFrom(n.Addr(50), 6443), etcd: "http://" + netip.AddrPortFrom(n.Addr(51), 2379).String(),
	}
	peer := "http://" + netip.AddrPortFrom(n.Addr(51), 2380).String()
	s.Etcd = startProcess(t, s.dir, "etcd", nil, builtFile(t, "etcd"), "--data-dir", filepath.Join(s.dir, "etcd"),
		"--listen-client-urls", s.etcd, "--advertise-client-urls", s.etcd,
		"--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", "default="+peer,
		"--unsafe-no-fsync", "--log-level", "warn")
	key := writeFile(t, filepath.Join(s.dir, "accounts.pem"), signingKey(t))
	tokens := writeFile(t, filepath.Join(s.dir, "tokens.csv"), adminToken+",admin,admin,system:masters\n")
	audit := writeFile(t, filepath.Join(s.dir, "audit.yaml"),
		"apiVersion: audit.k8s.io/v1\nkind: Policy\nomitStages: [RequestReceived]\nrules: [{level: Metadata, userGroups: [\"system:serviceaccounts\"]}]\n")
	s.Process = startProcess(t, s.dir, "kube-apiserver", nil, builtFile(t, "kube-apiserver"),
		"--etcd-servers", s.etcd, "--cert-dir", filepath.Join(s.dir, "certs"),
		"--bind-address", s.At.Addr().String(), "--advertise-address", s.At.Addr().String(), "--secure-port", fmt.Sprint(s.At.Port()),
		"--endpoint-reconciler-type", "none", "--service-cluster-ip-range", "10.96.0.0/16",
		"--authorization-mode", "RBAC", "--token-auth-file", tokens,
		"--service-account-issuer", "https://kubernetes.default.svc", "--service-account-key-file", key, "--service-account-signing-key-file", key,
		"--audit-policy-file", audit, "--audit-log-path", s.auditLog(), "--audit-log-mode", "blocking",
		"--shutdown-delay-duration", "0s", "--shutdown-send-retry-after=false")
	s.AwaitReady(t)
	return s
}

// AwaitReady returns when the server is ready, which takes a few seconds of one
// processor.
func (s *APIServer) AwaitReady(t testing.TB) {
	t.Helper()
	err := Poll(t, 3*readyWithin, func(ctx context.Context) error {
		if s.ended() || s.Etcd.ended() {
			return errEnded
		}
		if s.client == nil {
			if err := s.connect(); err != nil {
				return err
			}
		}
		_, err := s.Request(ctx, http.MethodGet, "/readyz", "", nil)
		return err
	})
	if err != nil {
		t.Fatalf("the API server did not get ready: %v\n%s\n%s", err, s.tail(), s.Etcd.tail())
	}
}

// CAFile is the certificate that the server signed for itself.
func (s *APIServer) CAFile() string { return filepath.Join(s.dir, "certs", "apiserver.crt") }

func (s *APIServer) connect() error {
	text, err := os.ReadFile(s.CAFile())
	if err != nil {
		return err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return errors.New("no certificate in " + s.CAFile())
	}
	s.client = &http.Client{Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: pool}, ForceAttemptHTTP2: true, IdleConnTimeout: 10 * time.Second,
	}}
	return nil
}

// Compact makes etcd forget all older versions of objects: who wants to go on from
// one must list again.
func (s *APIServer) Compact(t testing.TB) {
	t.Helper()
	var status struct {
		Header struct {
			Revision string `json:"revision"`
		} `json:"header"`
	}
	s.askEtcd(t, "/v3/maintenance/status", "{}", &status)
	s.askEtcd(t, "/v3/kv/compaction", fmt.Sprintf(`{"revision": %q, "physical": true}`, status.Header.Revision), &status)
}

func (s *APIServer) askEtcd(t testing.TB, path, body string, into any) {
	t.Helper()
	resp, err := http.Post(s.etcd+path, "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("etcd, %s: %s", path, resp.Status)
	}
	if err := json.NewDecoder(resp.Body).Decode(into); err != nil {
		t.Fatalf("etcd, %s: %v", path, err)
	}
}

// Access is one request of a ServiceAccount, from the audit log. A watch is written
// when it begins and once more when it has ended.
type Access struct {
	Verb, Stage, RequestURI string
	User                    struct{ Username string }
	// ObjectRef is empty for what is no object: a discovery document.
	ObjectRef      struct{ APIGroup, Resource, Subresource, Namespace, Name string }
	ResponseStatus struct{ Code int }
}

// Accesses are all requests of ServiceAccounts so far.
func (s *APIServer) Accesses(t testing.TB) []Access {
	t.Helper()
	text, err := os.ReadFile(s.auditLog())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	var all []Access
	for lines := bufio.NewReader(bytes.NewReader(text)); ; {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			return all // half a line is being written
		}
		var a Access
		if err := json.Unmarshal(line, &a); err != nil {
			t.Fatalf("the audit log: %v", err)
		}
		all = append(all, a)
	}
}

func (s *APIServer) auditLog() string { return filepath.Join(s.dir, "audit.log") }

// BuiltFolder is where test/apiserver/build.sh puts things.
func BuiltFolder() string {
	const name = "kube-apiserver-1.37.2"
	if tools := os.Getenv("DRIFTPROBE_TOOLS"); tools != "" {
		return filepath.Join(tools, name)
	}
	if cache := os.Getenv("XDG_CACHE_HOME"); cache != "" {
		return filepath.Join(cache, "driftprobe-tools", name)
	}
	return filepath.Join(os.Getenv("HOME"), ".cache", "driftprobe-tools", name)
}

func builtFile(t testing.TB, name string) string {
	t.Helper()
	path := filepath.Join(BuiltFolder(), name)
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("%v: run test/apiserver/build.sh once (ten minutes or more)", err)
	}
	return path
}

func signingKey(t testing.TB) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}))
}
