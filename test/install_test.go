package test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"driftprobe/test/world"
)

// TestTheDocumentedInstallation runs what the documents say of kubectl and helm, in their
// order and in a namespace for each, on a real API server. What needs a kubelet is left out.
func TestTheDocumentedInstallation(t *testing.T) {
	t.Parallel()
	c := startCluster(t, world.Claim(t))
	admin := "--kubeconfig=" + c.AdminKubeconfig(t)
	ok(t, "", "kubectl", admin, "delete", "--namespace=driftprobe", "--filename=../deploy/manifests/driftprobe.yaml")
	folder := t.TempDir()
	for _, secret := range []string{"slack-webhook-url", "digitalocean-token"} {
		if err := os.WriteFile(filepath.Join(folder, secret), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	kubelets := []string{"kubectl port-forward", "kubectl rollout", "helm test"}
	for document, least := range map[string]int{"../docs/install.md": 1, "../deploy/README.md": 3, "../docs/doks.md": 4} {
		own := strings.ToLower(strings.TrimSuffix(filepath.Base(document), ".md"))
		local := strings.NewReplacer(
			"deploy/", "../deploy/", "--from-file=", "--from-file="+folder+"/", "-n driftprobe", "-n "+own, "namespace driftprobe", "namespace "+own,
		)
		ran := 0
	lines:
		for line := range strings.Lines(read(t, document)) {
			line = strings.TrimSpace(line)
			for _, other := range kubelets {
				if strings.HasPrefix(line, other) {
					continue lines
				}
			}
			if words := strings.Fields(local.Replace(line)); len(words) > 2 && (words[0] == "kubectl" || words[0] == "helm") {
				ok(t, "", words[0], append(words[1:], admin)...)
				ran++
			}
		}
		if ran < least {
			t.Errorf("%s: %d commands, want %d", document, ran, least)
		}
		deployment := ok(t, "", "kubectl", admin, "get", "deployment", "driftprobe", "-n="+own, "-o=jsonpath={.spec.template.spec.containers[0].image}")
		if !strings.HasPrefix(deployment, "registry.") || !strings.HasSuffix(deployment, "/driftprobe:dev") {
			t.Errorf("%s: the image is %s", document, deployment)
		}
		ok(t, "", "helm", "uninstall", "driftprobe", "-n="+own, admin)
	}
}
