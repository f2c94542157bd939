package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"sync"
	"time"

	"driftprobe/config"
	"driftprobe/internal/kube"
	"driftprobe/internal/snapshot"
	"driftprobe/internal/state"
)

// historyName is the name under which the history is kept in the state.
const historyName = "history"

// memory is where the state is kept, and who may write it.
type memory struct {
	store *state.Store // nil: nowhere
	lease *kube.Lease  // nil: this process, always
}

// memories are those that are open, by what the configuration says of them, over
// reloads: generations that name the same place share it, so that neither overwrites
// what the other has saved.
type memories map[string]memory

// readFor is how long the state in a cluster is waited for, at the start and when the
// lead is taken over. Then we go on without it.
const readFor = 10 * time.Second

// open opens the memory that the configuration names, or returns the one that is open.
// Content that cannot be understood is set aside, and we start with an empty memory: to
// be loud again is better than to be silent. self is a name of this process that no other
// has.
func (o memories) open(ctx context.Context, p process, cfg config.Config, self string, log *slog.Logger) (memory, error) {
	place := "file " + cfg.State.File
	if cfg.State.ConfigMap != "" {
		place = fmt.Sprintf("ConfigMap %s, lease %q of %q %q", cfg.State.ConfigMap, cfg.Kubernetes.Lease, cfg.Kubernetes.Kubeconfig, cfg.Kubernetes.Context)
	}
	if m, ok := o[place]; ok {
		return m, nil
	}
	var m memory
	var err error
	switch {
	case cfg.State.ConfigMap != "":
		m, err = inCluster(ctx, p, cfg, self, log)
	case cfg.State.File != "":
		m.store, err = inFile(cfg.State.File, log)
	default:
		return m, nil
	}
	if err == nil {
		o[place] = m
	}
	return m, err
}

// close lets other processes write what was open here.
func (o memories) close() {
	for _, m := range o {
		_ = m.store.Close() // of a lock nothing can be lost
	}
}

func inFile(path string, log *slog.Logger) (*state.Store, error) {
	s, warning, err := state.Open(path)
	if err != nil {
		return nil, faultf("check state.file: its folder must exist and be writable", "state.file: %v", err)
	}
	warnOf(warning, log)
	return s, nil
}

func inCluster(ctx context.Context, p process, cfg config.Config, self string, log *slog.Logger) (memory, error) {
	client, err := kube.Connect(clusterSettings(p, cfg, log))
	if err != nil {
		return memory{}, err
	}
	var m memory
	var leads func() bool
	if namespace, name, ok := splitName(cfg.Kubernetes.Lease); ok {
		m.lease = client.Lease(namespace, name, self)
		leads = m.lease.Leads
	}
	namespace, name, _ := splitName(cfg.State.ConfigMap)
	m.store = state.New(client.ConfigMap(ctx, namespace, name, self, leads))
	m.reread(ctx, log)
	return m, nil
}

func warnOf(warning error, log *slog.Logger) {
	if warning != nil {
		log.Warn("the state is not usable; starting with an empty memory", "err", warning)
	}
}

// reread takes up what is in the place now. It tries for a while, and tells whether
// another process has left it there.
func (m memory) reread(ctx context.Context, log *slog.Logger) bool {
	ctx, cancel := context.WithTimeout(ctx, readFor)
	defer cancel()
	for {
		warning, err := m.store.Reread()
		if err == nil {
			warnOf(warning, log)
			return m.store.Foreign()
		}
		select {
		case <-ctx.Done():
			log.Error("the state can't be read; going on without what was kept there", "err", err)
			return false
		case <-time.After(time.Second):
		}
	}
}

// lead runs speak whenever this process is the one to alert and to write the state.
func (m memory) lead(ctx context.Context, speak func(context.Context)) {
	if m.lease == nil {
		speak(ctx)
		return
	}
	m.lease.Run(ctx, speak)
}

// leads tells whether this process may write the state.
func (m memory) leads() bool { return m.lease == nil || m.lease.Leads() }

// recall returns the memory of an earlier run as the snapshot to go on from. Who cannot read
// it watches without it.
func recall(store *state.Store, log *slog.Logger) snapshot.Snapshot {
	s := snapshot.Snapshot{Version: snapshot.Version}
	if store == nil {
		return s
	}
	data, err := store.Load(historyName)
	if err == nil && data != nil {
		err = json.Unmarshal(data, &s.History)
	}
	if err != nil {
		s.History = snapshot.History{}
		log.Warn("the history is not usable; starting with an empty one", "place", store.String(), "err", err, "kept", store.SetAside())
	}
	return s
}

// leastHistory is the size of a history that is not cut any more, in bytes: the trouble
// is another one then.
const leastHistory = 4 << 10

// remember keeps the history. If the place is too small for it, what is needed least is
// left out, and how many bytes that were is returned.
func remember(store *state.Store, h snapshot.History, now time.Time) (cut int, err error) {
	if store == nil {
		return 0, nil
	}
	for whole, last := 0, math.MaxInt; ; {
		data, err := json.Marshal(h)
		if err != nil {
			return 0, fmt.Errorf("write the history: %w", err)
		}
		whole = max(whole, len(data))
		err = store.Save(historyName, data)
		if !errors.Is(err, state.ErrTooLarge) || len(data) < leastHistory || len(data) >= last {
			return whole - len(data), err
		}
		last = len(data)
		// What was published is worth most: an all-clear is counted from it.
		rest := len(data) * 3 / 4
		h.Certificates = h.Certificates.Within(rest / 4)
		h.Records = h.Records.Within(now, rest-h.Certificates.Size())
	}
}

// alertStore keeps the alerts in memory over reloads, and in the state, if there is one,
// over restarts. What is in memory goes first: a full disk, or a reload that names
// another place, must not make us forget what was told.
type alertStore struct {
	mu    sync.Mutex
	data  map[string][]byte
	store *state.Store
}

// use makes the store, which may be nil, the one for what is saved from now on.
func (a *alertStore) use(store *state.Store) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.store = store
}

// forget drops what is in memory: another process has told and written since.
func (a *alertStore) forget() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.data = nil
}

// Load returns what was saved under the name, nil if nothing was.
func (a *alertStore) Load(name string) ([]byte, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if data, ok := a.data[name]; ok || a.store == nil {
		return data, nil
	}
	return a.store.Load(name)
}

// SetAside is that of the state.
func (a *alertStore) SetAside() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.store == nil {
		return ""
	}
	return a.store.SetAside()
}

// Save keeps data under the name. After an error it is kept until the program
// ends. Where there is no room for both, alerts are worth more than the history, which
// is cut to fit when it is saved next.
func (a *alertStore) Save(name string, data []byte) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.data == nil {
		a.data = map[string][]byte{}
	}
	a.data[name] = data
	if a.store == nil {
		return nil
	}
	err := a.store.Save(name, data)
	if errors.Is(err, state.ErrTooLarge) {
		err = a.store.SaveInstead(name, data, historyName)
	}
	return err
}
