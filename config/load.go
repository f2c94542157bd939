package config

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
)

// Parse reads one YAML document; name stands for it in errors. An empty
// document is Default. The error is of type Problems: every problem of the
// document at once, each with a position and a hint. Paths to files stay as
// they are written.
func Parse(name string, data []byte) (Config, error) {
	c, problems := parse(name, data)
	if len(problems) > 0 {
		return Config{}, problems
	}
	return c, nil
}

// parse gives what could be read beside the problems.
func parse(name string, data []byte) (Config, Problems) {
	c := Default()
	d := newDecoder(name)
	root, f, place := parseDocument(data)
	if f != nil {
		d.report(place, "", f)
	}
	if root != nil && root.Tag != "!!null" {
		d.decode(root, reflect.ValueOf(&c).Elem(), "")
		d.settle(&c)
		d.keep(&c)
		d.keepNoted(&c)
	}
	d.problems.Sort()
	return c, d.problems
}

// Load reads the file at path with Parse. Relative paths in it start at its
// folder. The error is of type Problems; what could be read beside them is
// for [Config.Unusable] alone.
func Load(path string) (Config, error) {
	data, err := readConfiguration(path)
	if err != nil {
		p := fileProblem("configuration", path, err)
		if errors.Is(err, fs.ErrNotExist) {
			p.Hint = "check the path given with --config"
		}
		return Config{}, Problems{p}
	}
	c, problems := parse(path, data)
	c.eachFile(func(f namedFile) string {
		if filepath.IsAbs(f.path) {
			return f.path
		}
		return filepath.Join(filepath.Dir(path), f.path)
	})
	if len(problems) > 0 {
		return c, problems
	}
	return c, nil
}

// readConfiguration reads the file at path, which may be a pipe: --config /dev/stdin.
func readConfiguration(path string) (data []byte, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return readAtMost(f, path, MaxFile)
}
