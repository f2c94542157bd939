package kube

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestOpenErrorsNameThePlaceAndAWayOut(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	const good = `
apiVersion: v1
kind: Config
current-context: prod
contexts: [{name: prod, context: {cluster: c, user: u}}, {name: lost, context: {cluster: nowhere, user: u}}]
clusters: [{name: c, cluster: {server: "https://127.0.0.1:1"}}]
users: [{name: u, user: {token: s3cret}}]
`
	type test struct {
		rule       string
		s          Settings
		what, hint string
	}
	tests := []test{
		{"a missing file", Settings{Kubeconfig: filepath.Join(dir, "none")}, filepath.Join(dir, "none") + ": no such file", "path of an existing file"},
		{"a file that is no YAML", Settings{Kubeconfig: file("bad", "token: s3cret\n\t{")}, "can't be understood", "kubectl config view"},
		{"a file of another kind", Settings{Kubeconfig: file("pod", "kind: Pod\napiVersion: v1\nspec: s3cret")}, filepath.Join(dir, "pod"), "kube"},
		{"an unknown context", Settings{Kubeconfig: file("good", good), Context: "staging"}, `no context "staging"`, "there are: lost, prod"},
		{"a context without a cluster", Settings{Kubeconfig: file("good", good), Context: "lost"}, "context lost", "cluster and user"},
		{"no current context", Settings{Kubeconfig: file("empty", "apiVersion: v1\nkind: Config\n")}, "has no current context", "kubernetes.context"},
		{"a server URL that is none", Settings{Kubeconfig: file("url", strings.Replace(good, "https://127.0.0.1:1", "https://%zz", 1))}, "context prod", "server URL"},
		{"a certificate file that is missing", Settings{Kubeconfig: file("ca", strings.Replace(good, `server: "https`, `certificate-authority: /none/ca.pem, server: "https`, 1))}, "/none/ca.pem", "context"},
		{"a context and no file", Settings{Context: "prod"}, `context "prod"`, "kubernetes.kubeconfig"},
		{"no file outside a cluster", Settings{}, "does not run in a cluster", "KUBECONFIG"},
	}
	pipe := filepath.Join(dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	referring := func(name, key string) Settings {
		return Settings{Kubeconfig: file(name, strings.Replace(good, `{server: "https`, fmt.Sprintf("{certificate-authority: %q, server: \"https", key), 1))}
	}
	tests = append(tests, []test{
		{"a pipe", Settings{Kubeconfig: pipe}, "not a regular file", "name a file"},
		{"a device", Settings{Kubeconfig: os.DevNull}, "not a regular file", "name a file"},
		{"a folder", Settings{Kubeconfig: dir}, "is a directory", "name a file"},
		{"a pipe beside a good file", Settings{Kubeconfig: file("good", good) + string(filepath.ListSeparator) + pipe}, pipe + ": not a regular file", "name a file"},
		{"a file that is too large", Settings{Kubeconfig: file("large", good+strings.Repeat("#\n", 1<<19))}, "larger than 1024 KiB", "at most 1 MiB"},
		{"a pipe that it names", referring("to-pipe", pipe), pipe + ": not a regular file", "cluster and user"},
		{"a device that it names", referring("to-device", os.DevNull), "not a regular file", "cluster and user"},
	}...)
	t.Setenv("KUBERNETES_SERVICE_HOST", "")
	for _, test := range tests {
		t.Run(test.rule, func(t *testing.T) {
			_, err := Open(test.s)
			var known *Error
			if !errors.As(err, &known) {
				t.Fatalf("not an Error: %v", err)
			}
			if !strings.Contains(known.Error(), test.what) || !strings.Contains(known.Hint(), test.hint) {
				t.Errorf("error: %s\nhint:  %s", known, known.Hint())
			}
			if strings.Contains(known.Error()+known.Hint(), "s3cret") {
				t.Errorf("a secret is told: %s", known)
			}
		})
	}
}

func TestOpenTakesAListOfFiles(t *testing.T) {
	k := newServer(t)
	list := filepath.Join(t.TempDir(), "none") + string(filepath.ListSeparator) + kubeconfig(t, k)
	if _, err := Open(Settings{Kubeconfig: list, Context: "lab"}); err != nil {
		t.Error(err)
	}
}

func TestClipMakesForeignTextSafe(t *testing.T) {
	got := clip("a\x1b[31m\nb" + strings.Repeat("ü", 1000))
	if strings.ContainsAny(got, "\x1b\n") || len([]rune(got)) != maxText+1 || !strings.HasSuffix(got, "ü…") {
		t.Errorf("%q", got)
	}
}
