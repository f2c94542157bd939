package kube

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"syscall"
	"unicode"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// maxText is the longest piece of foreign text that is passed on, in runes.
const maxText = 300

// failure is a reason, for a person.
type failure struct {
	why  string
	hint string
	// final is set if waiting for seconds won't mend it.
	final bool
	// forbidden is set if there is no right to it (403).
	forbidden bool
}

// explain puts an error of the client into words.
func explain(err error, h *health, v verb) failure {
	group := h.resource.Group
	if group == "" {
		group = `""`
	}
	switch {
	case apierrors.IsForbidden(err):
		where := "a ClusterRole"
		if h.namespace != "" {
			where = "a Role in namespace " + h.namespace
		}
		return failure{
			why:   "not allowed (403)" + refused(message(err)),
			hint:  fmt.Sprintf("grant list and watch on %s (apiGroup %s) by %s", h.resource.Resource, group, where),
			final: true, forbidden: true,
		}
	case apierrors.IsUnauthorized(err):
		return failure{
			why:   "the cluster does not accept our credentials (401)",
			hint:  "renew the token or client certificate of " + h.place,
			final: true,
		}
	case apierrors.IsNotFound(err), apierrors.IsMethodNotSupported(err):
		return failure{
			why:   fmt.Sprintf("the cluster does not serve %s of %s (404)", h.resource.Resource, h.resource.GroupVersion()),
			hint:  "check that the server URL of " + h.place + " is that of a Kubernetes API server, 1.19 or newer",
			final: true,
		}
	case errors.Is(err, errEmptied):
		return failure{
			why:  "all " + h.what() + " are gone at once, by a list and not one by one",
			hint: "see whether the API server was restored from a backup or is another one: kubectl get nodes",
		}
	case apierrors.IsTooManyRequests(err):
		return failure{why: "the cluster is overloaded and turns requests away (429)", hint: "it is asked again by itself; see the API server's load if this lasts"}
	}
	return unanswered(err, h, v)
}

// unanswered explains an error below HTTP, or an answer that is none of the above.
func unanswered(err error, h *health, v verb) failure {
	var unknown x509.UnknownAuthorityError
	var hostname x509.HostnameError
	var status apierrors.APIStatus
	switch {
	case errors.As(err, &unknown):
		return failure{why: "the API server's certificate is signed by an unknown authority", hint: "set certificate-authority of the cluster in " + h.place, final: true}
	case errors.As(err, &hostname):
		return failure{why: "the API server's certificate is for another name: " + clip(hostname.Error()), hint: "correct the server URL (or tls-server-name) in " + h.place, final: true}
	case errors.Is(err, context.DeadlineExceeded):
		return failure{why: fmt.Sprintf("no answer to %s within %s", v, listTimeout), hint: "check the API server's load and the network to it"}
	case errors.As(err, &status):
		return failure{why: fmt.Sprintf("the API server answered %d: %s", status.Status().Code, clip(message(err))), hint: "see the API server's log; it is asked again by itself"}
	}
	// url.Error quotes the whole request; the cause alone says as much, and is
	// the same for each resource.
	var request *url.Error
	if errors.As(err, &request) {
		err = request.Err
	}
	// net.OpError names our own port, another each time.
	text := err.Error()
	var network *net.OpError
	if errors.As(err, &network) && network.Addr != nil {
		text = fmt.Sprintf("%s %s: %v", network.Op, network.Addr, network.Err)
	}
	return failure{
		why:   "the API server can't be reached: " + clip(text),
		hint:  "check that it answers, for " + h.place + ": kubectl get --raw /readyz",
		final: nobodyThere(err),
	}
}

// nobodyThere tells whether an attempt to connect was answered by a clear no: such
// a server is not one that is slow to answer.
func nobodyThere(err error) bool {
	var name *net.DNSError
	return errors.As(err, &name) && name.IsNotFound ||
		errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, syscall.EHOSTUNREACH) || errors.Is(err, syscall.ENETUNREACH)
}

// message returns the API server's own words.
func message(err error) string {
	var status apierrors.APIStatus
	if errors.As(err, &status) && status.Status().Message != "" {
		return status.Status().Message
	}
	return err.Error()
}

// refused says whom the API server turned away, if its words tell; they name the resource
// too, which would make one reason another one for each. Else it gives all its words.
func refused(words string) string {
	if _, rest, found := strings.Cut(words, `User "`); found {
		if user, _, found := strings.Cut(rest, `" cannot `); found {
			return " for " + clip(user)
		}
	}
	return ": " + clip(words)
}

// clip makes foreign text safe for one line: no control characters, not long.
func clip(text string) string {
	count := 0
	cut := len(text)
	for i := range text {
		if count == maxText {
			cut = i
			break
		}
		count++
	}
	clean := strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, text[:cut])
	if cut < len(text) {
		clean += "…"
	}
	return strings.TrimSpace(clean)
}
