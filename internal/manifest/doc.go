// Package manifest reads Kubernetes objects: from streams of YAML, as they come from Helm
// or kustomize, and out of each object the parts that driftprobe judges. The objects are
// written by strangers: what is not of the expected shape is left out, and nothing panics.
package manifest
