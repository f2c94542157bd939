// Package state keeps named JSON values over restarts, all in one place: a file, or
// what a Place of another package is.
//
// It knows nothing of what the values mean and keeps no history.
package state

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"sync"
	"time"
)

// Version is the version of the content's layout, not of the values in it.
const Version = 1

// MaxSize is the largest content that is read or written, in bytes. A Place may take
// less.
const MaxSize = 16 << 20

// ErrTooLarge is returned by Save if the place has no room for the values.
var ErrTooLarge = errors.New("the values are too large for the place")

// Place is where the content is kept, as one piece. It need not be safe for
// concurrent use.
type Place interface {
	// String names the place for a person: "state file /var/lib/driftprobe/state.json".
	String() string
	// Aside names where SetAside keeps what was there.
	Aside() string
	// Read returns the content, nil if there is none. What is over MaxSize is cut to
	// one byte over.
	Read() ([]byte, error)
	// Write puts content in the place of all that was there, or changes nothing. It
	// fails if another has written since the last Read or Write here, where the place
	// can tell, and with ErrTooLarge.
	Write(content []byte) error
	// SetAside keeps the content that is there under another name.
	SetAside() error
}

// patience is for how long a write is waited for. A disk that hangs must hold up nobody.
const patience = 10 * time.Second

// errHangs is returned as long as a write goes on that was not waited for.
var errHangs = errors.New("a write hangs")

// Store is the values in a place. It is safe for concurrent use within a process.
type Store struct {
	place Place
	// writing has a value while the place is written. Nothing else is asked of it then.
	writing chan struct{}

	mu sync.Mutex
	// read is true once the place was read.
	read bool
	// damaged is true until the content, of which something is unusable, has been put aside.
	damaged bool
	values  map[string]json.RawMessage
}

// layout is the content.
type layout struct {
	Version int                        `json:"version"`
	Values  map[string]json.RawMessage `json:"values"`
}

// New returns the empty Store of a place, which nothing was read of yet.
func New(p Place) *Store {
	return &Store{place: p, writing: make(chan struct{}, 1), values: map[string]json.RawMessage{}}
}

// String names the place.
func (s *Store) String() string { return s.place.String() }

// Reread takes the values anew from the place, for instance because another process
// wrote there. After an error the Store is as it was.
//
// Content that is unusable (damaged, too large, written by a newer version) is no
// error: the Store is empty then, the warning says why, and the next Save keeps the
// content aside.
func (s *Store) Reread() (warning, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	content, err := s.content()
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", s.place, err)
	}
	s.read, s.damaged, s.values = true, false, map[string]json.RawMessage{}
	if content == nil {
		return nil, nil
	}
	values, err := decode(content)
	if err != nil {
		s.damaged = true
		return fmt.Errorf("%s is not usable, starting empty (it will be kept as %s): %w", s.place, s.place.Aside(), err), nil
	}
	s.values = values
	return nil, nil
}

// Foreign tells whether another process left the values that were read last. A place that
// cannot tell is nobody else's.
func (s *Store) Foreign() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	place, tells := s.place.(interface{ Foreign() bool })
	return tells && s.read && !s.damaged && !s.hangs() && place.Foreign()
}

// SetAside has the next Save keep aside what the place holds now, and tells where: the owner
// of a value does not understand it.
func (s *Store) SetAside() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.damaged = s.damaged || len(s.values) > 0
	return s.place.Aside()
}

// Close lets go of the place, if that is something to hold. Save takes it again.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if held, ok := s.place.(io.Closer); ok && !s.hangs() {
		return held.Close()
	}
	return nil
}

// Load returns the value saved under name, nil if there is none. The layout of
// white space may differ from what was saved.
func (s *Store) Load(name string) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return bytes.Clone(s.values[name]), nil
}

// Save keeps data, which must be valid JSON, under name, and returns when it is
// in the place. After an error the former values are still there, in memory and in the
// place; unless the place hangs, and takes the new ones when it is well again.
func (s *Store) Save(name string, data []byte) error { return s.SaveInstead(name, data) }

// SaveInstead is Save, and gives up other values for it.
func (s *Store) SaveInstead(name string, data []byte, drop ...string) error {
	if !json.Valid(data) {
		return fmt.Errorf("save state %q: the value is not valid JSON", name)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	before := s.values
	err := s.put(name, data, drop)
	if errors.Is(err, errChanged) {
		// Another process was the one to write until now. What it left is newer.
		var content []byte
		if content, err = s.content(); err == nil && content != nil {
			if s.values, err = decode(content); err != nil {
				s.damaged, s.values = true, before
			}
		}
		err = s.put(name, data, drop)
	}
	if err != nil {
		s.values = before
		return fmt.Errorf("save state %q: %w", name, err)
	}
	return nil
}

// put changes the values and writes them. The caller holds the lock, and takes the values
// back after an error.
func (s *Store) put(name string, data []byte, drop []string) error {
	s.values = maps.Clone(s.values)
	for _, key := range drop {
		delete(s.values, key)
	}
	s.values[name] = bytes.Clone(data)
	return s.write()
}

// write replaces the content. The caller holds the lock.
func (s *Store) write() error {
	var content bytes.Buffer
	enc := json.NewEncoder(&content)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(layout{Version, s.values}); err != nil {
		return fmt.Errorf("encode: %w", err)
	}
	if content.Len() > MaxSize {
		return fmt.Errorf("%w: %d bytes are more than %d", ErrTooLarge, content.Len(), MaxSize)
	}
	if s.hangs() {
		return errHangs
	}
	if err := s.keepUnread(); err != nil {
		return err
	}
	return s.patiently(content.Bytes())
}

// patiently writes, and goes on without the outcome when that takes too long.
func (s *Store) patiently(content []byte) error {
	s.writing <- struct{}{}
	outcome := make(chan error, 1)
	go func() {
		err := s.place.Write(content)
		<-s.writing
		outcome <- err
	}()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case err := <-outcome:
		return err
	case <-timer.C:
		return fmt.Errorf("%s: not written within %s: %w", s.place, patience, errHangs)
	}
}

// hangs tells whether a write goes on that was not waited for. If not, what it did is seen by
// whoever asked (which the length of a channel would not ensure).
func (s *Store) hangs() bool {
	select {
	case s.writing <- struct{}{}:
		<-s.writing
		return false
	default:
		return true
	}
}

// content is what the place holds.
func (s *Store) content() ([]byte, error) {
	if s.hangs() {
		return nil, errHangs
	}
	return s.place.Read()
}

// keepUnread puts aside what is about to be overwritten without having been
// understood: it is damaged, or could not be read until now.
func (s *Store) keepUnread() error {
	if !s.read {
		content, err := s.content()
		if err != nil {
			return fmt.Errorf("read %s: %w", s.place, err)
		}
		s.read, s.damaged = true, content != nil
	}
	if s.damaged {
		if err := s.place.SetAside(); err != nil {
			return fmt.Errorf("keep what is there as %s: %w", s.place.Aside(), err)
		}
		s.damaged = false
	}
	return nil
}

func decode(content []byte) (map[string]json.RawMessage, error) {
	if len(content) > MaxSize {
		return nil, fmt.Errorf("it is larger than %d bytes", MaxSize)
	}
	// The version is read on its own first: a newer layout may not fit ours.
	var head struct {
		Version int `json:"version"`
	}
	if err := json.Unmarshal(content, &head); err != nil {
		return nil, fmt.Errorf("it is damaged: %w", err)
	}
	if head.Version > Version {
		return nil, fmt.Errorf("it was written by a newer version (layout %d, this program reads %d)", head.Version, Version)
	}
	if head.Version != Version {
		return nil, fmt.Errorf("it is damaged: layout version %d", head.Version)
	}
	var l layout
	if err := json.Unmarshal(content, &l); err != nil {
		return nil, fmt.Errorf("it is damaged: %w", err)
	}
	if l.Values == nil {
		l.Values = map[string]json.RawMessage{}
	}
	return l.Values, nil
}
