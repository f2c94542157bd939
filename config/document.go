package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"sort"
	"strings"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
)

// Bounds of one configuration file. 10,000 targets of a few keys each fit; a
// file that unfolds by aliases (a "billion laughs") does not.
const (
	maxNodes    = 100_000 // YAML nodes, counted again for each use of an alias
	maxDepth    = 32      // nesting; the schema needs 5
	maxProblems = 200     // reported for one file
)

// position is a place in the file; line and column are 1-based, the column in
// characters.
type position struct{ line, column int }

// positionOf is where data[offset] stands.
func positionOf(data []byte, offset int) position {
	before := data[:min(offset, len(data))]
	start := bytes.LastIndexByte(before, '\n') + 1
	return position{bytes.Count(before, []byte{'\n'}) + 1, utf8.RuneCount(before[start:]) + 1}
}

// parseDocument gives the root value of the only document in data, nil for an
// empty one. The problem says why there is none; a second document is a
// problem beside a usable root.
func parseDocument(data []byte) (*yaml.Node, *fault, position) {
	first := position{1, 1}
	if len(data) > MaxFile {
		return nil, faultf("check that this is the right file; one process watches targets that fit in 1 MiB",
			"the file is larger than %d KiB", MaxFile>>10), first
	}
	if offset := invalidUTF8(data); offset >= 0 {
		return nil, faultf("save the file as UTF-8", "the byte 0x%02x is not UTF-8 text", data[offset]), positionOf(data, offset)
	}
	root, second, err := decodeYAML(data)
	if err != nil {
		return nil, syntaxFault(err), syntaxPosition(data, err)
	}
	if root == nil {
		return nil, nil, first
	}
	if f, at := bounded(root); f != nil {
		return nil, f, at
	}
	if second != nil {
		return root, faultf("keep one document: remove this one and the --- before it",
			"a second YAML document starts here"), at(second)
	}
	return root, nil, first
}

func invalidUTF8(data []byte) int {
	for i := 0; i < len(data); {
		r, size := utf8.DecodeRune(data[i:])
		if r == utf8.RuneError && size == 1 {
			return i
		}
		i += size
	}
	return -1
}

// decodeYAML reads the first document and looks whether a second follows. An
// error anywhere in the two is an error of the file.
func decodeYAML(data []byte) (root, second *yaml.Node, err error) {
	defer func() {
		if r := recover(); r != nil {
			// The reader must not take a running probe down on a bad reload.
			root, second, err = nil, nil, fmt.Errorf("the YAML reader failed: %v", r)
		}
	}()
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	var documents [2]yaml.Node
	for i := range documents {
		if err := decoder.Decode(&documents[i]); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, nil, err
		}
	}
	if len(documents[0].Content) > 0 {
		root = documents[0].Content[0]
	}
	if documents[1].Kind != 0 {
		second = &documents[1]
	}
	return root, second, nil
}

// bounded refuses documents too large or too deep to be a configuration.
// Aliases are not followed here: the decoder counts what it visits.
func bounded(root *yaml.Node) (*fault, position) {
	type level struct {
		node  *yaml.Node
		depth int
	}
	count := 0
	for stack := []level{{root, 1}}; len(stack) > 0; {
		top := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if count++; count > maxNodes {
			return faultf("split the targets over several driftprobes", "more than %d values", maxNodes), at(top.node)
		}
		if top.depth > maxDepth {
			return faultf("no key of driftprobe is nested this deeply; check the indentation",
				"nested more than %d levels deep", maxDepth), at(top.node)
		}
		for _, child := range top.node.Content {
			stack = append(stack, level{child, top.depth + 1})
		}
	}
	return nil, position{}
}

// at is where a node starts; the reader gives no place to some empty values.
func at(n *yaml.Node) position {
	return position{max(n.Line, 1), max(n.Column, 1)}
}

// syntaxPosition finds where the text stops being YAML. The reader reports
// the start of the surrounding construct, and no column; so search for the
// shortest beginning of the file that fails in the same words. Each step reads
// the file once: about 20 reads of at most 1 MiB.
func syntaxPosition(data []byte, failure error) position {
	fails := func(n int) bool {
		for n < len(data) && !utf8.RuneStart(data[n]) {
			n++
		}
		_, _, err := decodeYAML(data[:n])
		return err != nil && err.Error() == failure.Error()
	}
	length := sort.Search(len(data), fails)
	if length == 0 {
		return position{1, 1}
	}
	_, size := utf8.DecodeLastRune(data[:length])
	offset := length - size
	// An error that shows at the end of a line belongs to that line's text.
	for offset > 0 && data[offset] == '\n' && data[offset-1] == '\n' {
		offset--
	}
	return positionOf(data, offset)
}

// syntaxFault puts the reader's words into those of a user.
func syntaxFault(err error) *fault {
	text := strings.TrimPrefix(err.Error(), "yaml: ")
	if rest, ok := strings.CutPrefix(text, "line "); ok {
		if _, after, ok := strings.Cut(rest, ": "); ok {
			text = after // the reader's line is that of the construct around it
		}
	}
	if strings.HasPrefix(text, "unknown anchor") {
		text = "an alias (*name) without its anchor (&name)" // the name may be the start of a secret
	}
	hint := "check the indentation, the quotes and the brackets on this line and the one before"
	for _, known := range syntaxHints() {
		if strings.Contains(text, known.says) {
			hint = known.hint
			break
		}
	}
	return faultf(hint, "not YAML: %s", strings.Trim(shown(text), `"`))
}

type syntaxHint struct{ says, hint string }

func syntaxHints() []syntaxHint {
	return []syntaxHint{
		{"mapping values are not allowed", `put quotes around a value that contains ": ", and indent keys of one level alike`},
		{"cannot start any token", "indent with spaces, not tabs, and put quotes around a value that starts with @, % or `"},
		{"tab character", "indent with spaces, not tabs"},
		{"could not find expected ':'", `write each key as "key: value", and indent keys of one level alike`},
		{"alphabetic or numeric character", `put quotes around a value that starts with * or &, such as "*.example.com"`},
		{"an alias (", `put quotes around a value that starts with *; an alias needs its &name before it`},
		{"',' or ']'", "close the list with ], and put a comma between its values"},
		{"',' or '}'", "close the braces with }, and put a comma between the keys"},
		{"'-' indicator", `start each entry of the list with "- ", all indented alike`},
		{"did not find expected key", "indent keys of one level alike, and close quotes and brackets"},
		{"unexpected end of stream", "close the quote"},
		{"hexdecimal", `inside double quotes write \\ for \, or use single quotes`},
		{"unknown escape", `inside double quotes write \\ for \, or use single quotes`},
		{"control characters", "remove the control character"},
	}
}
