package kube

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
)

// Client keeps in a cluster what is ours there: the state and the lease. Cluster, which
// watches, has a client of its own, so that a flood of one does not delay the other.
type Client struct {
	objects dynamic.Interface
	place   string
	log     *slog.Logger
}

// Connect prepares a Client. It asks the cluster nothing. Errors are of type *Error.
func Connect(s Settings) (*Client, error) {
	objects, _, place, err := connect(s)
	if err != nil {
		return nil, err
	}
	return &Client{objects: objects, place: place, log: s.log()}, nil
}

// requestTimeout bounds one request that reads or writes one object.
const requestTimeout = 5 * time.Second

// brief bounds a request. It outlives the end of ctx, so that what is known at the end
// of the program can still be written.
func brief(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), requestTimeout)
}

// failed puts an error about one object into words. verbs are all that are needed for
// it.
func failed(err error, place, what string, r schema.GroupVersionResource, namespace, verbs string) *Error {
	f := explain(err, &health{resource: r, namespace: namespace, place: place}, "the request")
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		f.why = fmt.Sprintf("no answer within %s", requestTimeout)
	case apierrors.IsNotFound(err): // the namespace, as we create the object
		f = failure{why: clip(message(err)), hint: "create the namespace " + namespace}
	}
	text := fmt.Sprintf("%s: %s", what, f.why)
	if apierrors.IsForbidden(err) {
		f.hint = fmt.Sprintf("grant %s on %s (apiGroup %q) by a Role in namespace %s", verbs, r.Resource, r.Group, namespace)
		text += "; " + f.hint
	}
	return &Error{what: text, hint: f.hint}
}
