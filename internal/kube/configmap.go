package kube

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"

	"driftprobe/internal/state"
)

const (
	// maxConfigMap is the most that the API server takes as the values of a ConfigMap, in
	// bytes before base64. https://kubernetes.io/docs/concepts/configuration/configmap/
	maxConfigMap = 1 << 20
	// stateKey is the key that the content has in binaryData.
	stateKey = "state.json.gz"
	// writerAnnotation names the process that wrote last, and writtenAnnotation is when: the
	// API server gives no new version to what is written again as it was.
	writerAnnotation  = "driftprobe.io/writer"
	writtenAnnotation = "driftprobe.io/written"
	// retryFirst and retryLast bound the pause after requests that failed; retryRead is
	// the longest before a Read, for which somebody waits.
	retryFirst, retryRead, retryLast = time.Second, 4 * time.Second, 30 * time.Second
	// rivalGone is the time without a write after which a process that writes too is over:
	// one that goes on writes its history every minute or two.
	rivalGone = 3 * time.Minute
)

// ConfigMap is a state.Place in a cluster: compressed, at most 1 MiB. Each write names
// the version that it follows, so that of two writers the later one notices the other.
type ConfigMap struct {
	*Client
	ctx             context.Context // for its values; each request has an end of its own
	namespace, name string
	writer          string
	leads           func() bool

	version string // resourceVersion as of the last read or write; empty: there is none
	content []byte // as read, compressed
	foreign bool   // another process wrote what was read
	// rival is another process that wrote in between, and met how often. Of one that made
	// us stop, left is the version that it left, and since when that was seen first.
	rival string
	met   int
	left  string
	since time.Time

	failure *Error
	pause   time.Duration
	failed  time.Time // when the failure was
}

// ConfigMap returns the place. writer is a name of this process that no other has. leads
// tells whether this process may write over what another wrote in between; nil: nobody
// says who leads, and then a process that goes on writing too makes us stop.
func (c *Client) ConfigMap(ctx context.Context, namespace, name, writer string, leads func() bool) *ConfigMap {
	return &ConfigMap{Client: c, ctx: ctx, namespace: namespace, name: name, writer: writer, leads: leads}
}

// String names the ConfigMap.
func (m *ConfigMap) String() string { return "ConfigMap " + m.namespace + "/" + m.name }

// Aside is another ConfigMap.
func (m *ConfigMap) Aside() string { return "ConfigMap " + m.namespace + "/" + m.asideName() }

func (m *ConfigMap) asideName() string { return m.name + "-corrupt" }

func (m *ConfigMap) resource() schema.GroupVersionResource {
	return schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}
}

func (m *ConfigMap) objects() dynamic.ResourceInterface {
	return m.Client.objects.Resource(m.resource()).Namespace(m.namespace)
}

// Read returns the content, nil if the ConfigMap is not there or has none of ours.
func (m *ConfigMap) Read() ([]byte, error) {
	if err := m.patient(retryRead); err != nil {
		return nil, err
	}
	object, err := m.get()
	if apierrors.IsNotFound(err) {
		m.succeeded()
		m.version, m.content, m.foreign = "", nil, false
		return nil, nil
	}
	if err != nil {
		return nil, m.refused(err)
	}
	m.succeeded()
	before := m.version
	m.version, m.content, m.met = object.GetResourceVersion(), contentOf(object), 0
	m.foreign = m.content != nil && writerOf(object) != m.writer && m.version != before
	if m.content == nil {
		return nil, nil
	}
	return unzip(m.content), nil
}

// Foreign tells whether what was read last was written by another process, and since we
// read or wrote it before.
func (m *ConfigMap) Foreign() bool { return m.foreign }

func writerOf(object *unstructured.Unstructured) string {
	return text(object.Object, "metadata", "annotations", writerAnnotation)
}

func (m *ConfigMap) get() (*unstructured.Unstructured, error) {
	ctx, cancel := brief(m.ctx)
	defer cancel()
	return m.objects().Get(ctx, m.name, metav1.GetOptions{})
}

// contentOf is what the ConfigMap holds; text that is no base64 as it is, to be called
// damaged.
func contentOf(object *unstructured.Unstructured) []byte {
	encoded := text(object.Object, "binaryData", stateKey)
	if encoded == "" {
		return nil
	}
	content, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return []byte(encoded)
	}
	return content
}

// unzip returns what is compressed in content, and content itself if that cannot be
// read: whoever reads it finds it damaged.
func unzip(content []byte) []byte {
	zip, err := gzip.NewReader(bytes.NewReader(content))
	if err != nil {
		return content
	}
	plain, err := io.ReadAll(io.LimitReader(zip, state.MaxSize+1))
	if err != nil {
		return content
	}
	return plain
}

// Write replaces the content.
func (m *ConfigMap) Write(content []byte) error {
	if err := m.patient(retryLast); err != nil {
		return err
	}
	var zipped bytes.Buffer
	zip := gzip.NewWriter(&zipped)
	_, err := zip.Write(content)
	if err := errors.Join(err, zip.Close()); err != nil {
		return err
	}
	if zipped.Len() > maxConfigMap {
		return fmt.Errorf("%s: %w: compressed %d bytes, and a ConfigMap holds %d", m, state.ErrTooLarge, zipped.Len(), maxConfigMap)
	}
	err = m.put(zipped.Bytes())
	if apierrors.IsConflict(err) || apierrors.IsAlreadyExists(err) || apierrors.IsNotFound(err) && m.version != "" {
		if err := m.overtaken(); err != nil {
			return err
		}
		err = m.put(zipped.Bytes())
	}
	if err != nil {
		return m.refused(err)
	}
	m.succeeded()
	return nil
}

// put creates the ConfigMap, or updates the version that is known of it.
func (m *ConfigMap) put(zipped []byte) error {
	ctx, cancel := brief(m.ctx)
	defer cancel()
	var stored *unstructured.Unstructured
	var err error
	if m.version == "" {
		stored, err = m.objects().Create(ctx, m.object(m.name, "", zipped), metav1.CreateOptions{})
	} else {
		stored, err = m.objects().Update(ctx, m.object(m.name, m.version, zipped), metav1.UpdateOptions{})
	}
	if err == nil {
		m.version = stored.GetResourceVersion()
	}
	return err
}

func (m *ConfigMap) object(name, version string, zipped []byte) *unstructured.Unstructured {
	meta := map[string]any{
		"name": name, "namespace": m.namespace,
		"labels":      map[string]any{"app.kubernetes.io/name": "driftprobe"},
		"annotations": map[string]any{writerAnnotation: m.writer, writtenAnnotation: time.Now().UTC().Format(time.RFC3339Nano)},
	}
	if version != "" {
		meta["resourceVersion"] = version
	}
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta,
		"binaryData": map[string]any{stateKey: base64.StdEncoding.EncodeToString(zipped)},
	}}
}

// overtaken looks who wrote in between, and returns nil if we may write over it. That
// is so if it was ourselves (an answer was lost), a person, or one that wrote for the
// last time, as the pod before this one does. Of two that go on, one has to stop.
func (m *ConfigMap) overtaken() error {
	object, err := m.get()
	if apierrors.IsNotFound(err) {
		m.version = ""
		return nil
	}
	if err != nil {
		return m.refused(err)
	}
	writer := writerOf(object)
	if writer == m.writer || writer == "" {
		m.version = object.GetResourceVersion()
		return nil
	}
	if writer != m.rival {
		m.rival, m.met = writer, 0
	}
	m.met++
	shown := clip(limited(writer))
	switch {
	case m.leads != nil && !m.leads():
		return fmt.Errorf("%s: %s writes it now, and leads", m, shown)
	case m.leads == nil && m.met > 1 && !m.abandoned(object.GetResourceVersion(), time.Now()):
		m.pause = retryLast
		return m.suspended(&Error{
			what: fmt.Sprintf("%s: %s writes it too, so this process does not before that one ends (two need a lease: kubernetes.lease)", m, shown),
			hint: "give each its own with state.configmap, or let them take turns with kubernetes.lease",
		})
	}
	m.log.Warn("the state was written by another process in between; what it wrote is replaced", "place", m.String(), "other", shown)
	m.version = object.GetResourceVersion()
	return nil
}

// abandoned tells whether the version is one after which nobody has written for so long
// that its writer has ended. It is no rival then.
func (m *ConfigMap) abandoned(version string, now time.Time) bool {
	if version != m.left {
		m.left, m.since = version, now
	}
	if now.Sub(m.since) < rivalGone {
		return false
	}
	m.met = 0
	return true
}

// SetAside copies the content as it was read to the other ConfigMap.
func (m *ConfigMap) SetAside() error {
	if err := m.patient(retryLast); err != nil {
		return err
	}
	ctx, cancel := brief(m.ctx)
	defer cancel()
	object := m.object(m.asideName(), "", m.content)
	_, err := m.objects().Create(ctx, object, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		// What was kept there before gives way, as with a file.
		_, err = m.objects().Update(ctx, object, metav1.UpdateOptions{})
	}
	if err != nil {
		return m.refused(err)
	}
	return nil
}

// patient is the last failure as long as it is too early to ask again.
func (m *ConfigMap) patient(most time.Duration) error {
	if m.failure != nil && time.Since(m.failed) < min(m.pause, most) {
		return m.failure
	}
	return nil
}

func (m *ConfigMap) refused(err error) error {
	m.pause = min(max(retryFirst, 2*m.pause), retryLast)
	return m.suspended(failed(err, m.place, m.String(), m.resource(), m.namespace, "get, create and update"))
}

func (m *ConfigMap) suspended(e *Error) error {
	m.failure, m.failed = e, time.Now()
	return e
}

func (m *ConfigMap) succeeded() { m.failure, m.pause = nil, 0 }
