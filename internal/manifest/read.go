package manifest

import (
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

// Object is one object of a stream.
type Object struct {
	// File and Line are where it stands; Source is the template that made it, if Helm
	// says so in a comment.
	File   string
	Line   int
	Source string
	// Fields are the object itself. A stream that was checked has Kind and Name in it.
	Kind, APIVersion, Namespace, Name string
	Fields                            map[string]any
}

// In returns the object with a namespace, if it is of a kind that has one and names none.
func (o Object) In(namespace string) Object {
	meta, _ := o.Fields["metadata"].(map[string]any)
	if o.Namespace != "" || meta == nil || ofTheCluster(o.Kind) {
		return o
	}
	o.Namespace, meta["namespace"] = namespace, namespace
	return o
}

// ofTheCluster tells whether objects of a kind have no namespace. Of custom resources
// nobody knows without the cluster.
func ofTheCluster(kind string) bool {
	return strings.HasPrefix(kind, "Cluster") || strings.HasSuffix(kind, "Class") || strings.HasSuffix(kind, "WebhookConfiguration") ||
		slices.Contains([]string{"Namespace", "CustomResourceDefinition", "PersistentVolume", "Node", "APIService"}, kind)
}

// maxStream bounds one stream, in bytes: a rendered cluster is a few MiB.
const maxStream = 64 << 20

// Read reads all objects of a stream of YAML or JSON documents. The items of a List stand
// on their own. Empty documents are passed over. An error names file and line.
func Read(file string, r io.Reader) ([]Object, error) {
	limited := &io.LimitedReader{R: r, N: maxStream + 1}
	decoder := yaml.NewDecoder(limited)
	var all []Object
	for {
		var document yaml.Node
		err := decoder.Decode(&document)
		switch {
		case limited.N <= 0:
			return nil, fmt.Errorf("%s: more than %d MiB", file, maxStream>>20)
		case errors.Is(err, io.EOF):
			return all, nil
		case err != nil:
			return nil, fault(file, err)
		case len(document.Content) == 0:
			continue
		}
		objects, err := read(file, document.Content[0], source(&document))
		if err != nil {
			return nil, err
		}
		all = append(all, objects...)
	}
}

// read makes objects of one document, or of one item of a list.
func read(file string, node *yaml.Node, source string) ([]Object, error) {
	if node.Kind == yaml.ScalarNode && node.Tag == "!!null" {
		return nil, nil
	}
	if node.Kind != yaml.MappingNode {
		return nil, fmt.Errorf("%s:%d: not a Kubernetes object: a %s", file, node.Line, kindOf(node))
	}
	var f fields
	if err := node.Decode((*map[string]any)(&f)); err != nil {
		return nil, fault(file, err)
	}
	o := Object{
		File: file, Line: node.Line, Source: source, Kind: f.text("kind"), APIVersion: f.text("apiVersion"),
		Namespace: f.text("metadata", "namespace"), Name: f.text("metadata", "name"), Fields: f,
	}
	if items := child(node, "items"); items != nil && strings.HasSuffix(o.Kind, "List") {
		var all []Object
		for _, item := range items.Content {
			objects, err := read(file, item, source)
			if err != nil {
				return nil, err
			}
			all = append(all, objects...)
		}
		return all, nil
	}
	if o.Kind == "" {
		return nil, fmt.Errorf("%s:%d: not a Kubernetes object: it has no kind", file, node.Line)
	}
	return []Object{o}, nil
}

func child(node *yaml.Node, key string) *yaml.Node {
	for n := 0; n+1 < len(node.Content); n += 2 {
		if node.Content[n].Value == key && node.Content[n+1].Kind == yaml.SequenceNode {
			return node.Content[n+1]
		}
	}
	return nil
}

func kindOf(node *yaml.Node) string {
	if node.Kind == yaml.SequenceNode {
		return "list"
	}
	return "text"
}

// source reads Helm's comment "# Source: traefik/templates/deployment.yaml".
func source(document *yaml.Node) string {
	node := document
	for node != nil {
		for line := range strings.Lines(node.HeadComment) {
			if from, ok := strings.CutPrefix(strings.TrimSpace(line), "# Source: "); ok {
				return cut(from)
			}
		}
		if len(node.Content) == 0 {
			break
		}
		node = node.Content[0]
	}
	return ""
}

// fault puts the place of a YAML error where editors look for it.
func fault(file string, err error) error {
	text := strings.TrimPrefix(err.Error(), "yaml: ")
	if m := regexp.MustCompile(`(?s)line (\d+): (.*)`).FindStringSubmatch(text); m != nil {
		return fmt.Errorf("%s:%s: %s", file, m[1], strings.TrimSpace(m[2]))
	}
	return fmt.Errorf("%s: %s", file, text)
}
