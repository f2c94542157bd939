package test

import (
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"driftprobe/test/world"
)

// alone is set in the environment of a test that runs in a network of its own.
const alone = "DRIFTPROBE_TEST_ALONE"

// inNetworkOfItsOwn runs the test once more, in a new network namespace that has
// nothing but a loopback interface: no route to any global address, above all to
// none of IPv6. It returns false to the outer test.
func inNetworkOfItsOwn(t *testing.T) bool {
	t.Helper()
	if os.Getenv(alone) != "" {
		raiseLoopback(t)
		return true
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v", "-test.timeout=3m")
	cmd.Env = append(os.Environ(), alone+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWNET | syscall.CLONE_NEWUSER,
		UidMappings: []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}},
	}
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- PASS: "+t.Name()) {
		t.Errorf("in a network of its own: %v\n%s", err, out)
	}
	return false
}

func raiseLoopback(t *testing.T) {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Close(fd) }() // nothing is unsent
	lo, err := unix.NewIfreq("lo")
	if err != nil {
		t.Fatal(err)
	}
	lo.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	if err := unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, lo); err != nil {
		t.Fatal(err)
	}
}

// TestIPv6FromAMachineWithoutIt: what is published is compared in each family, and
// nothing is said about whether an IPv6 address answers.
func TestIPv6FromAMachineWithoutIt(t *testing.T) {
	t.Parallel()
	if !inNetworkOfItsOwn(t) {
		return
	}
	const right, wrong = "2001:db8::77", "2001:db8::10"
	w := world.Start(t)
	four := w.New.String()
	world.Serve(t, w.Shop,
		"both 30 IN A "+four, "both 30 IN AAAA "+right,
		"six 30 IN AAAA "+right,
		"stale 30 IN A "+four, "stale 30 IN AAAA "+wrong)
	w.Balancer(t, w.New, w.CA.Issue(t, "*.shop.example"))
	target := func(host string, addrs ...string) string {
		return "{host: " + host + ".shop.example, addresses: ['" + strings.Join(addrs, "', '") + "']}"
	}

	l := once(t, clean, "--config", configuration(t, w, "", target("both", four, right)))
	if len(l.Incidents) != 0 {
		t.Errorf("incidents: %s", indent(l.Incidents))
	}

	l = once(t, unknowable, "--config", configuration(t, w, "", target("six", right)))
	l.none(t, "http/unreachable", "dns/stale-record", "dns/missing-record", "dns/unresolvable")

	l = once(t, found, "--config", configuration(t, w, "", target("stale", four, right)))
	l.none(t, "http/unreachable")
	if f := l.one(t, "dns/stale-record", "stale.shop.example"); f.Subject.Address != wrong {
		t.Errorf("%s is stale, want %s", f.Subject.Address, wrong)
	}
}
