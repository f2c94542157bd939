// Package state keeps named JSON values over restarts, in one file.
//
// It knows nothing of what the values mean, keeps no history, and does not lock
// the file against other processes: one running program owns one file.
package state

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
)

// Version is the version of the file's layout, not of the values in it.
const Version = 1

// MaxSize is the largest file that is read or written, in bytes.
const MaxSize = 16 << 20

// File is one state file. It is safe for concurrent use within a process.
type File struct {
	path    string
	warning error

	mu sync.Mutex
	// damaged is true until the unreadable file has been put aside.
	damaged bool
	values  map[string]json.RawMessage
}

// layout is the file's content.
type layout struct {
	Version int                        `json:"version"`
	Values  map[string]json.RawMessage `json:"values"`
}

// Open reads the state file at path; a missing file is an empty one, and is
// created by the first Save. It fails if the file cannot be read or its folder
// cannot be written, so that a wrong path is noticed at the start.
//
// A file whose content is unusable (damaged, too large, written by a newer
// version) is no error: the File starts empty and Warning says why.
func Open(path string) (*File, error) {
	f := &File{path: path, values: map[string]json.RawMessage{}}
	content, err := read(path)
	if err != nil {
		return nil, fmt.Errorf("open state file: %w", err)
	}
	if err := writable(path); err != nil {
		return nil, fmt.Errorf("open state file %s: its folder cannot be written: %w", path, err)
	}
	if content == nil {
		return f, nil
	}
	values, err := decode(content)
	if err != nil {
		f.damaged = true
		f.warning = fmt.Errorf("state file %s is not usable, starting empty (it will be kept as %s): %w", path, f.aside(), err)
		return f, nil
	}
	f.values = values
	return f, nil
}

// Warning returns why Open started empty although there was a file, nil if it
// did not. For the caller's log.
func (f *File) Warning() error { return f.warning }

// Load returns the value saved under name, nil if there is none. The layout of
// white space may differ from what was saved.
func (f *File) Load(name string) ([]byte, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return bytes.Clone(f.values[name]), nil
}

// Save keeps data, which must be valid JSON, under name, and returns when it is
// on disk. After an error the former values are still there, in memory and on
// disk. The file is replaced whole: a crash leaves the old content or the new.
func (f *File) Save(name string, data []byte) error {
	if !json.Valid(data) {
		return fmt.Errorf("save state %q: the value is not valid JSON", name)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	old, had := f.values[name]
	f.values[name] = bytes.Clone(data)
	if err := f.write(); err != nil {
		if had {
			f.values[name] = old
		} else {
			delete(f.values, name)
		}
		return fmt.Errorf("save state %q: %w", name, err)
	}
	return nil
}

// write replaces the file. The caller holds the lock.
func (f *File) write() error {
	var content bytes.Buffer
	enc := json.NewEncoder(&content)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(layout{Version, f.values}); err != nil {
		return fmt.Errorf("encode: %w", err)
	}
	if content.Len() > MaxSize {
		return fmt.Errorf("%d bytes are more than the limit of %d", content.Len(), MaxSize)
	}
	if f.damaged {
		if err := os.Rename(f.path, f.aside()); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("keep the unusable file aside: %w", err)
		}
		f.damaged = false
	}
	return replace(f.path, content.Bytes())
}

func (f *File) aside() string { return f.path + ".corrupt" }

// read returns the file's content, nil if there is no file. It returns one byte
// over MaxSize at most.
func read(path string) ([]byte, error) {
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer file.Close()
	content, err := io.ReadAll(io.LimitReader(file, MaxSize+1))
	if err != nil {
		return nil, err
	}
	return content, nil
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

func temporary(path string) string { return path + ".tmp" }

// create makes the temporary file anew. Its name is fixed, so that crashes leave
// one file behind at most; O_EXCL keeps it from following a planted link.
func create(path string) (*os.File, error) {
	if err := os.Remove(temporary(path)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return os.OpenFile(temporary(path), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
}

func writable(path string) error {
	file, err := create(path)
	if err != nil {
		return err
	}
	return errors.Join(file.Close(), os.Remove(file.Name()))
}

// replace writes content beside path, forces it to disk and renames it: the
// order that makes the change atomic (rename(2)).
func replace(path string, content []byte) (err error) {
	file, err := create(path)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(file.Name())
		}
	}()
	_, err = file.Write(content)
	if err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return err
	}
	if err = os.Rename(file.Name(), path); err != nil {
		return err
	}
	syncFolder(filepath.Dir(path))
	return nil
}

// syncFolder makes the rename durable. Its failure is no error: the new content
// is in place, and not every file system can sync a folder.
func syncFolder(path string) {
	folder, err := os.Open(path)
	if err != nil {
		return
	}
	_ = folder.Sync()
	_ = folder.Close()
}
