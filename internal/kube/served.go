package kube

import (
	"context"
	"encoding/json"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// lookAgain is how long a resource that the cluster did not serve is left alone.
const lookAgain = 30 * time.Second

// served tells which resources of the optional groups (custom resources) the
// cluster has. It asks the discovery documents, which every account may read: an
// account without rights gets 403 for a resource whether it is there or not.
type served struct {
	// ask gets a path of the API server.
	ask   func(ctx context.Context, path string) ([]byte, error)
	every time.Duration

	mu    sync.Mutex
	known map[schema.GroupVersion]catalogue
}

// catalogue is what a group and version has.
type catalogue struct {
	at    time.Time
	names map[string]bool
}

// newest returns the resource in the first of its versions that the cluster serves;
// false if it serves none.
func (s *served) newest(ctx context.Context, r schema.GroupVersionResource, older []string) (schema.GroupVersionResource, bool, error) {
	for _, version := range append([]string{r.Version}, older...) {
		at := r.GroupResource().WithVersion(version)
		if there, err := s.has(ctx, at); there || err != nil {
			return at, there, err
		}
	}
	return r, false, nil
}

// has tells whether the cluster serves a resource. One answer goes for all that ask
// about the same group shortly after.
func (s *served) has(ctx context.Context, r schema.GroupVersionResource) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if known, ok := s.known[r.GroupVersion()]; ok && time.Since(known.at) < s.every/2 {
		return known.names[r.Resource], nil
	}
	limited, cancel := context.WithTimeout(ctx, listTimeout)
	defer cancel()
	body, err := s.ask(limited, "/apis/"+r.Group+"/"+r.Version)
	if err != nil && !apierrors.IsNotFound(err) {
		return false, err
	}
	var list struct {
		Resources []struct {
			Name string `json:"name"`
		} `json:"resources"`
	}
	if err == nil {
		if err := json.Unmarshal(body, &list); err != nil {
			return false, err
		}
	}
	names := map[string]bool{}
	for _, resource := range list.Resources {
		names[resource.Name] = true
	}
	if s.known == nil {
		s.known = map[schema.GroupVersion]catalogue{}
	}
	s.known[r.GroupVersion()] = catalogue{time.Now(), names}
	return names[r.Resource], nil
}

// pause waits; false if ctx ends before.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
