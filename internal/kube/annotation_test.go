package kube

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"driftprobe/internal/inventory"
)

func TestAnnotations(t *testing.T) {
	soon := time.Now().Add(48 * time.Hour).Truncate(time.Second).UTC()
	edge := service("edge", "edge", object{"ip": "203.0.113.10"})
	has := func(check func(inventory.Target) bool) func(inventory.Inventory) bool {
		return func(i inventory.Inventory) bool { return len(i.Targets) == 1 && check(i.Targets[0]) }
	}
	plain := has(func(t inventory.Target) bool {
		return reflect.DeepEqual(t, inventory.Target{
			Key: "https://www.shop.example/", Host: "www.shop.example", Port: 443, Path: "/", Origin: "Ingress shop/web",
			Declarations: []inventory.Declaration{{Object: "Ingress shop/web"}},
		})
	})
	tests := []struct {
		rule, key string
		value     any
		good      func(inventory.Inventory) bool
		notice    string // empty: none
	}{
		{"ignored", annotationIgnore, "true", func(i inventory.Inventory) bool { return len(i.Targets) == 0 }, ""},
		{"not ignored", annotationIgnore, "false", plain, ""},
		{"ignored by another word is not", annotationIgnore, "yes", plain, `write "true" or "false"`},
		{"a Service", annotationService, "edge/edge", has(func(t inventory.Target) bool {
			return t.Declarations[0].Service == inventory.ServiceRef{Namespace: "edge", Name: "edge"}
		}), ""},
		{"a Service that is not there", annotationService, "edge/gone", has(func(t inventory.Target) bool { return t.Declarations[0].Service.Name == "gone" }), "there is no such Service of type LoadBalancer"},
		{"an address is no Service", annotationService, "169.254.169.254", plain, "write namespace/name"},
		{"nor is a URL", annotationService, "http://169.254.169.254/x", plain, "write namespace/name"},
		{"a path", annotationPath, "/healthz?deep=1&x=%20", has(func(t inventory.Target) bool {
			return t.Path == "/healthz?deep=1&x=%20" && t.Key == "https://www.shop.example"+t.Path
		}), ""},
		{"a path without a slash", annotationPath, "healthz", plain, "write a path"},
		{"a path that ends the request line", annotationPath, "/ HTTP/1.1\r\nX: y", plain, "write a path"},
		{"a path that is long", annotationPath, "/" + strings.Repeat("x", maxValue), plain, "longer than 512 bytes"},
		{"statuses", annotationStatus, "200, 301-308", has(func(t inventory.Target) bool {
			return reflect.DeepEqual(t.Expect.Status, []inventory.StatusRange{{From: 200, To: 200}, {From: 301, To: 308}})
		}), ""},
		{"statuses that are none", annotationStatus, "2xx", plain, "write codes from 100 to 599"},
		{"statuses out of range", annotationStatus, "99999999999999999999", plain, "write codes from 100 to 599"},
		{"statuses backwards", annotationStatus, "308-301", plain, "write codes from 100 to 599"},
		{"too many statuses", annotationStatus, strings.Repeat("200,", maxRanges) + "200", plain, "write codes from 100 to 599"},
		{"a planned move", annotationMoveUntil, soon.Format(time.RFC3339), has(func(t inventory.Target) bool { return t.MoveUntil.Equal(soon) }), ""},
		{"a planned move without an end", annotationMoveUntil, "true", plain, "RFC 3339"},
		{"a planned move that hardly ends", annotationMoveUntil, "2999-01-01T00:00:00Z", plain, "more than 31 days ahead"},
		{"an annotation of ours that is none", ownPrefix + "pth", "/x", plain, "there is no such annotation"},
		{"a value that is no text", annotationPath, object{}, plain, ""},
		{"more hosts", externalDNS + "hostname", "www.shop.example, ,A.shop.example", func(i inventory.Inventory) bool {
			return strings.Join(hosts(i), " ") == "a.shop.example www.shop.example"
		}, ""},
		{"more hosts by the older prefix", externalDNSOlder + "hostname", "a.shop.example", func(i inventory.Inventory) bool { return len(i.Targets) == 2 }, ""},
		{"more hosts that are none", externalDNS + "hostname", "{{.Name}}", plain, "it is no DNS name"},
		{"a list of hosts that is long", externalDNS + "hostname", strings.Repeat("a.example,", maxList), plain, "longer than"},
		{"where records point", externalDNS + "target", "198.51.100.7,2001:db8::7, 198.51.100.7", has(func(t inventory.Target) bool {
			return reflect.DeepEqual(t.Declarations[0].RecordAddresses, addrs("198.51.100.7", "2001:db8::7"))
		}), ""},
		{"an alias of records", externalDNS + "target", "CDN.example.", has(func(t inventory.Target) bool {
			return reflect.DeepEqual(t.Declarations[0].RecordHostnames, []string{"cdn.example"})
		}), ""},
		{"records never point at special addresses", externalDNS + "target", "169.254.169.254", plain, "special-purpose address (link-local)"},
		{"nor at one in disguise", externalDNS + "target", "::ffff:127.0.0.1", plain, "special-purpose address (loopback)"},
		{"records that point nowhere", externalDNS + "target", "a b", plain, "neither an address nor a DNS name"},
		{"a TTL", externalDNS + "ttl", "300", has(func(t inventory.Target) bool {
			return t.Declarations[0].RecordTTL == 300 && t.Declarations[0].ExternalDNS == externalDNS
		}), ""},
		{"a TTL as a duration", externalDNSOlder + "ttl", "5m", has(func(t inventory.Target) bool {
			return t.Declarations[0].RecordTTL == 300 && t.Declarations[0].ExternalDNS == externalDNSOlder
		}), ""},
		{"a TTL that is none", externalDNS + "ttl", "-1", plain, "it is no TTL"},
		{"a TTL that is too long", externalDNS + "ttl", "9999999h", plain, "it is no TTL"},
		{"an annotation of somebody else", "example.com/path", "/x", plain, ""},
	}
	for _, test := range tests {
		t.Run(test.rule, func(t *testing.T) {
			inv := fed(t, edge, annotated(ingressOf("shop", "web", "", "www.shop.example"), object{test.key: test.value})).Inventory()
			if !test.good(inv) {
				t.Errorf("targets: %+v", inv.Targets)
			}
			if got := noticesOf(inv); !strings.Contains(got, test.notice) || (test.notice == "") != (got == "") {
				t.Errorf("notices %q, want %q", got, test.notice)
			}
		})
	}
}

func TestExternalDNSOfAnotherController(t *testing.T) {
	inv := fed(t, annotated(ingressOf("shop", "web", ""), object{externalDNS + "controller": "none", externalDNS + "hostname": "a.example"})).Inventory()
	if len(inv.Targets) != 0 {
		t.Errorf("targets: %+v", inv.Targets)
	}
	both := annotated(ingressOf("shop", "web", ""), object{externalDNS + "hostname": "new.example", externalDNSOlder + "hostname": "old.example"})
	if got := hosts(fed(t, both).Inventory()); !reflect.DeepEqual(got, []string{"new.example"}) {
		t.Errorf("the older prefix counts beside the newer: %v", got)
	}
}

func TestAnnotationsOfAService(t *testing.T) {
	with := func(annotations object) inventory.Inventory {
		return fed(t, annotated(service("edge", "edge", object{"ip": "203.0.113.10"}), annotations)).Inventory()
	}
	own := inventory.ServiceRef{Namespace: "edge", Name: "edge"}
	inv := with(object{externalDNS + "hostname": "lb.example", annotationMoveUntil: time.Now().Add(time.Hour).UTC().Format(time.RFC3339)})
	if len(inv.Targets) != 1 || inv.Targets[0].Declarations[0].Service != own || inv.Targets[0].Origin != "Service edge/edge" || inv.Services[0].MoveUntil.IsZero() {
		t.Errorf("a host of a Service: %+v", inv)
	}
	if inv = with(object{annotationIgnore: "true", externalDNS + "hostname": "lb.example"}); len(inv.Services)+len(inv.Targets) != 0 {
		t.Errorf("an ignored Service: %+v", inv)
	}
	if inv = with(object{annotationService: "other/other"}); !strings.Contains(noticesOf(inv), "a Service fronts its hosts itself") {
		t.Errorf("a Service that names another: %+v", inv.Notices)
	}
	inv = with(object{externalDNS + "hostname": "lb.example", externalDNS + "target": "cdn.example"})
	if d := inv.Targets[0].Declarations[0]; d.Service != (inventory.ServiceRef{}) || len(d.RecordHostnames) != 1 {
		t.Errorf("a Service whose records lead elsewhere: %+v", d)
	}
}

// Of several tenants none may excuse another's faults.
func TestWhatOnlyOneObjectAsksForIsNotDone(t *testing.T) {
	end := time.Now().Add(time.Hour).UTC().Format(time.RFC3339)
	asks := object{annotationStatus: "100-599", annotationMoveUntil: end}
	one := annotated(ingressOf("a", "x", "", "www.shop.example"), asks)
	if got := fed(t, one, ingressOf("b", "y", "", "www.shop.example")).Inventory().Targets[0]; got.Expect.Status != nil || !got.MoveUntil.IsZero() {
		t.Errorf("one of two asks: %+v", got)
	}
	if got := fed(t, one, annotated(ingressOf("b", "y", "", "www.shop.example"), asks)).Inventory().Targets[0]; got.Expect.Status == nil || got.MoveUntil.IsZero() {
		t.Errorf("both ask: %+v", got)
	}
}

func TestSolversOfACMEAreNoHosts(t *testing.T) {
	solver := ingressOf("shop", "cm-acme-http-solver-x", "", "www.shop.example")
	solver["metadata"].(object)["labels"] = object{acmeSolver: "true"}
	if inv := fed(t, solver).Inventory(); len(inv.Targets) != 0 {
		t.Errorf("targets: %+v", inv.Targets)
	}
}

func TestNoticesAreBounded(t *testing.T) {
	var all []object
	for i := range 300 {
		all = append(all, annotated(ingressOf("shop", fmt.Sprintf("i%03d", i), "", "no name"), object{annotationPath: "x\x1b[31m" + strings.Repeat("y", 200)}))
	}
	ns := fed(t, all...).Inventory().Notices
	if len(ns) != maxListed || !strings.HasSuffix(ns[maxListed-1].Why, "and 500 more things in the cluster cannot be used") {
		t.Fatalf("%d notices, the last is %+v", len(ns), ns[len(ns)-1])
	}
	for _, n := range ns {
		if len(n.What) > 200 || strings.Contains(n.What, "\x1b") {
			t.Errorf("the value is told as it is: %q", n.What)
		}
	}
}

// FuzzAnnotations: no panic, nothing unbounded, no special-purpose address, no path
// that is more than a path.
func FuzzAnnotations(f *testing.F) {
	for _, seed := range []string{"/healthz", "true", "a/b", "200-299,404", "2026-11-24T12:00:00Z", "203.0.113.7,lb.example", "127.0.0.1", "5m"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		annotations := object{}
		for _, key := range []string{annotationIgnore, annotationService, annotationPath, annotationStatus, annotationMoveUntil, externalDNS + "hostname", externalDNS + "target", externalDNSOlder + "ttl", ownPrefix + value} {
			annotations[key] = value
		}
		d := declaring{kind: "Ingress", namespace: "shop", name: "web"}
		d.annotate(annotations, time.Now())
		if len(d.hosts) > maxHosts || len(d.notices) > maxNotices || len(d.status) > maxRanges || len(d.pointAt)+len(d.pointAtBy) > maxPlaces || !isPath(d.path) || strings.ContainsAny(d.path, " \r\n") {
			t.Errorf("%+v", d)
		}
		for _, a := range d.pointAt {
			if a.IsLoopback() || a.IsPrivate() || a.IsLinkLocalUnicast() || a.Is4In6() {
				t.Errorf("points at %s", a)
			}
		}
	})
}
