package kube

import (
	"context"
	"log/slog"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/dynamic"
)

// cutOff is what the client makes of an API server behind a balancer that ends each
// watch before there is an answer: a watch without an error that is over at once.
type cutOff struct {
	dynamic.Interface
	dynamic.NamespaceableResourceInterface
}

func (c cutOff) Resource(schema.GroupVersionResource) dynamic.NamespaceableResourceInterface {
	return c
}

func (c cutOff) Namespace(string) dynamic.ResourceInterface { return c }

func (c cutOff) List(context.Context, metav1.ListOptions) (*unstructured.UnstructuredList, error) {
	return &unstructured.UnstructuredList{Object: map[string]any{"metadata": map[string]any{"resourceVersion": "1"}}}, nil
}

func (c cutOff) Watch(context.Context, metav1.ListOptions) (watch.Interface, error) {
	return watch.NewEmptyWatch(), nil
}

func TestAWatchThatEndsWithoutAnAnswerIsAGap(t *testing.T) {
	c := newCluster(cutOff{}, "the test", []string{""}, slog.New(slog.DiscardHandler))
	f := c.services[0]
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		f.run(ctx, c.client)
	}()
	told := func() bool {
		g, bad := f.gap()
		return bad && strings.Contains(g.Why, "before there was an answer")
	}
	for !told() { // changes that come together are one
		<-c.Changed()
	}
	stop()
	<-ended
}
