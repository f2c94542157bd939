package test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"driftprobe/test/world"
)

// helmTest runs "helm test" and is the kubelet of its Pod: it runs the container's command
// with the real binary, on the page that the Service would lead to, and writes down how that
// ended.
func (r *release) helmTest(t *testing.T, want int) {
	t.Helper()
	admin := "--kubeconfig=" + r.AdminKubeconfig(t)
	type outcome struct {
		said string
		err  error
	}
	ended := make(chan outcome, 1)
	go func() {
		said, err := tool(t, "", "helm", "test", r.name, "--namespace="+r.name, "--timeout=1m", admin)
		ended <- outcome{said, err}
	}()
	at := world.Path("v1", "Pod", r.name, r.name+"-driftprobe-test")
	var pod struct {
		Status struct{ Phase string }
		Spec   struct {
			Containers []struct{ Args []string }
		}
	}
	err := world.Poll(t, 30*time.Second, func(ctx context.Context) error {
		_, err := r.Request(ctx, http.MethodGet, at, "", nil)
		return err
	})
	if err != nil {
		t.Fatalf("wait for the Pod of helm test: %v", err)
	}
	r.object(t, at, &pod)
	args := pod.Spec.Containers[0].Args
	service := "http://" + r.name + "-driftprobe." + r.name + ".svc:9798"
	if len(args) != 2 || !strings.HasPrefix(args[1], service) {
		t.Fatalf("the Pod runs %q, want a look at %s", args, service)
	}
	phase := "Succeeded"
	if l := execute(t, args[0], strings.Replace(args[1], service, r.url, 1)); l.code != want {
		t.Errorf("%q: exit code %d, want %d\n%s", args, l.code, want, l.stderr)
	}
	if want != clean {
		phase = "Failed"
	}
	r.Patch(t, at+"/status", `{"status": {"phase": "`+phase+`"}}`)
	o := <-ended // helm gives up after a minute
	if (o.err == nil) != (want == clean) || !strings.Contains(o.said, phase) {
		t.Errorf("helm test, Pod %s: %v\n%s", phase, o.err, o.said)
	}
}
