package world

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gopkg.in/yaml.v3"
)

// Request is one request as administrator; a status other than 2xx is an error.
func (s *APIServer) Request(ctx context.Context, method, path, kind string, body []byte) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, "https://"+s.At.String()+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+adminToken)
	req.Header.Set("Accept", "application/json")
	if kind != "" {
		req.Header.Set("Content-Type", kind)
	}
	resp, err := s.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode/100 != 2 {
		err = &StatusError{Code: resp.StatusCode, text: fmt.Sprintf("%s %s: %s: %s", method, path, resp.Status, text)}
	}
	return text, err
}

// StatusError is an answer of the API server that is no success.
type StatusError struct {
	Code int
	text string
}

func (e *StatusError) Error() string { return e.text }

func (s *APIServer) must(t testing.TB, method, path, kind string, body []byte) []byte {
	t.Helper()
	text, err := s.Request(t.Context(), method, path, kind, body)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// Apply creates or changes the objects of YAML documents, by server-side apply; those
// without a namespace go to the one that is named here. A status in them is written
// too.
func (s *APIServer) Apply(t testing.TB, namespace, documents string) {
	t.Helper()
	for decoder := yaml.NewDecoder(strings.NewReader(documents)); ; {
		var object map[string]any
		err := decoder.Decode(&object)
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatalf("%v in\n%s", err, documents)
		}
		if object != nil {
			s.apply(t, namespace, object)
		}
	}
}

func (s *APIServer) apply(t testing.TB, namespace string, object map[string]any) {
	t.Helper()
	kind, version := fmt.Sprint(object["kind"]), fmt.Sprint(object["apiVersion"])
	meta, ok := object["metadata"].(map[string]any)
	if !ok {
		t.Fatalf("a %s without metadata", kind)
	}
	if own, ok := meta["namespace"].(string); ok {
		namespace = own
	}
	text, err := json.Marshal(object) // which is YAML
	if err != nil {
		t.Fatal(err)
	}
	at := Path(version, kind, namespace, fmt.Sprint(meta["name"]))
	const how = "?fieldManager=test&force=true&fieldValidation=Strict"
	s.must(t, http.MethodPatch, at+how, "application/apply-patch+yaml", text)
	if _, ok := object["status"]; ok && kind != "CustomResourceDefinition" {
		s.must(t, http.MethodPatch, at+"/status"+how, "application/apply-patch+yaml", text)
	}
}

// Patch merges JSON into an object; path may end with /status.
func (s *APIServer) Patch(t testing.TB, path, merge string) {
	t.Helper()
	s.must(t, http.MethodPatch, path, "application/merge-patch+json", []byte(merge))
}

// Delete deletes the object at a path, which may stay while it has finalizers.
func (s *APIServer) Delete(t testing.TB, path string) {
	t.Helper()
	s.must(t, http.MethodDelete, path, "", nil)
}

// Definitions installs the custom resource definitions in some files of
// test/apiserver/build.sh, and returns when the server serves them.
func (s *APIServer) Definitions(t testing.TB, files ...string) {
	t.Helper()
	for _, name := range files {
		text, err := os.ReadFile(builtFile(t, filepath.Join("crds", name)))
		if err != nil {
			t.Fatal(err)
		}
		s.Apply(t, "", string(text))
	}
	s.AwaitDefinitions(t)
}

// AwaitDefinitions returns when the server serves all custom resources that are defined.
func (s *APIServer) AwaitDefinitions(t testing.TB) {
	t.Helper()
	err := Poll(t, readyWithin, func(ctx context.Context) error {
		text, err := s.Request(ctx, http.MethodGet, "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", "", nil)
		if err != nil {
			return err
		}
		var list struct {
			Items []struct {
				Metadata struct{ Name string }
				Status   struct {
					Conditions []struct{ Type, Status string }
				}
			}
		}
		if err := json.Unmarshal(text, &list); err != nil {
			return err
		}
		for _, d := range list.Items {
			if !strings.Contains(fmt.Sprint(d.Status.Conditions), "{Established True}") {
				return fmt.Errorf("%s is not established", d.Metadata.Name)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// Token is a new one of a ServiceAccount, good for an hour.
func (s *APIServer) Token(t testing.TB, namespace, account string) string {
	t.Helper()
	text := s.must(t, http.MethodPost, Path("v1", "ServiceAccount", namespace, account)+"/token", "application/json",
		[]byte(`{"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 3600}}`))
	var answer struct{ Status struct{ Token string } }
	if err := json.Unmarshal(text, &answer); err != nil {
		t.Fatal(err)
	}
	return answer.Status.Token
}

// Path is where the API has an object. Without a name it is that of all in the
// namespace, without a namespace too of all there are.
func Path(version, kind, namespace, name string) string {
	plural := strings.ToLower(kind) + "s"
	if strings.HasSuffix(kind, "s") {
		plural = strings.ToLower(kind) + "es"
	}
	path := "/apis/" + version
	if version == "v1" {
		path = "/api/v1"
	}
	switch kind {
	case "Namespace", "ClusterRole", "ClusterRoleBinding", "IngressClass", "GatewayClass", "CustomResourceDefinition":
		namespace = ""
	}
	if namespace != "" {
		path += "/namespaces/" + namespace
	}
	return strings.TrimSuffix(path+"/"+plural+"/"+name, "/")
}

// ServicePath is Path of a Service.
func ServicePath(namespace, name string) string { return Path("v1", "Service", namespace, name) }

// Gone returns when the API server has no object at a path.
func (s *APIServer) Gone(t testing.TB, path string) {
	t.Helper()
	err := Poll(t, readyWithin, func(ctx context.Context) error {
		_, err := s.Request(ctx, http.MethodGet, path, "", nil)
		var status *StatusError
		if errors.As(err, &status) && status.Code == http.StatusNotFound {
			return nil
		}
		return fmt.Errorf("it is still there: %w", err)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// AdminKubeconfig is one for the tools of an administrator: kubectl, helm.
func (s *APIServer) AdminKubeconfig(t testing.TB) string {
	t.Helper()
	return s.Kubeconfig(t, s.At.String(), writeFile(t, filepath.Join(s.dir, "admin-token"), adminToken))
}

// Kubeconfig writes one for a token file, which is read again when it changes, and
// returns its path. at is where the client connects: the server itself, or a Gate.
func (s *APIServer) Kubeconfig(t testing.TB, at, tokenFile string) string {
	t.Helper()
	return writeFile(t, filepath.Join(s.dir, fmt.Sprintf("kubeconfig-%d", time.Now().UnixNano())), fmt.Sprintf(`apiVersion: v1
kind: Config
current-context: test
clusters: [{name: test, cluster: {server: "https://%s", tls-server-name: %q, certificate-authority: %q}}]
users: [{name: test, user: {tokenFile: %q}}]
contexts: [{name: test, context: {cluster: test, user: test}}]
`, at, s.At.Addr(), s.CAFile(), tokenFile))
}
