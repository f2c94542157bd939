package lab

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// kubeRequest is a path under a resource: /api/v1/… or /apis/GROUP/VERSION/….
type kubeRequest struct {
	res             kubeResource
	namespace, name string
	labels          kubeSelector
}

func (k *Kubernetes) route(w http.ResponseWriter, r *http.Request) {
	k.state.Lock()
	authorized := r.Header.Get("Authorization") == "Bearer "+k.token
	k.state.Unlock()
	if !authorized {
		kubeStatus(w, http.StatusUnauthorized, "Unauthorized", "Unauthorized")
		return
	}
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	if k.discover(w, parts) {
		return
	}
	req, ok := k.parse(parts)
	selector, err := parseKubeSelector(r.URL.Query().Get("labelSelector"))
	if err != nil {
		kubeStatus(w, http.StatusBadRequest, "BadRequest", err.Error())
		return
	}
	req.labels = selector
	switch {
	// Rights come before existence: what nobody may read might as well not be there.
	case !ok && slices.ContainsFunc(parts, k.isDenied):
		kubeStatus(w, http.StatusForbidden, "Forbidden", fmt.Sprintf("%s is forbidden: User \"lab\" cannot list it", r.URL.Path))
	case !ok:
		kubeStatus(w, http.StatusNotFound, "NotFound", "the server could not find the requested resource")
	case k.isDenied(req.res.plural):
		kubeStatus(w, http.StatusForbidden, "Forbidden", fmt.Sprintf(
			"%s is forbidden: User \"lab\" cannot list resource %q in API group %q", req.res.plural, req.res.plural, req.res.group))
	case r.Method != http.MethodGet:
		k.write(w, r, req)
	case req.name != "":
		k.serveOne(w, req)
	case r.URL.Query().Get("watch") == "true" || r.URL.Query().Get("watch") == "1":
		k.watch(w, r, req)
	default:
		k.serveList(w, req)
	}
}

func (k *Kubernetes) isDenied(plural string) bool {
	k.state.Lock()
	defer k.state.Unlock()
	return k.denied[plural]
}

// KubeError is an HTTPFault that answers with a Status object, for instance
// KubeError(500, "InternalError", "etcdserver: leader changed").
func KubeError(code int, reason, message string) HTTPFault {
	return func(w http.ResponseWriter, _ *http.Request) bool {
		kubeStatus(w, code, reason, message)
		return true
	}
}

func kubeStatus(w http.ResponseWriter, code int, reason, message string) {
	writeJSON(w, code, statusObject(code, reason, message))
}

func statusObject(code int, reason, message string) map[string]any {
	return map[string]any{
		"kind": "Status", "apiVersion": "v1", "metadata": map[string]any{}, "status": "Failure",
		"reason": reason, "message": message, "code": code,
	}
}

// discover answers /version, /api, /apis and the resource lists.
func (k *Kubernetes) discover(w http.ResponseWriter, parts []string) bool {
	k.state.Lock()
	resources := slices.Clone(k.resources)
	k.state.Unlock()
	path := strings.Join(parts, "/")
	switch {
	case path == "version":
		writeJSON(w, http.StatusOK, map[string]string{"major": "1", "minor": "37", "gitVersion": "v1.37.2", "platform": "linux/amd64"})
	case path == "api":
		writeJSON(w, http.StatusOK, map[string]any{"kind": "APIVersions", "versions": []string{"v1"}})
	case path == "apis":
		writeJSON(w, http.StatusOK, map[string]any{"kind": "APIGroupList", "apiVersion": "v1", "groups": groupsOf(resources)})
	case len(parts) == 2 && parts[0] == "api":
		return writeResources(w, resources, "", parts[1])
	case len(parts) == 3 && parts[0] == "apis":
		return writeResources(w, resources, parts[1], parts[2])
	default:
		return false
	}
	return true
}

// groupsOf keeps the order in which versions were added; the first is preferred.
func groupsOf(resources []kubeResource) []any {
	versions := map[string][]any{}
	var names []string
	for _, r := range resources {
		v := map[string]any{"groupVersion": r.apiVersion(), "version": r.version}
		if r.group == "" || slices.ContainsFunc(versions[r.group], func(o any) bool { return mustJSON(o) == mustJSON(v) }) {
			continue
		}
		if versions[r.group] == nil {
			names = append(names, r.group)
		}
		versions[r.group] = append(versions[r.group], v)
	}
	groups := []any{}
	for _, name := range names {
		groups = append(groups, map[string]any{"name": name, "versions": versions[name], "preferredVersion": versions[name][0]})
	}
	return groups
}

func writeResources(w http.ResponseWriter, resources []kubeResource, group, version string) bool {
	var out []any
	for _, r := range resources {
		if r.group == group && r.version == version {
			out = append(out, map[string]any{
				"name": r.plural, "singularName": strings.ToLower(r.kind), "kind": r.kind, "namespaced": r.namespaced,
				"verbs": []string{"create", "delete", "get", "list", "update", "watch"},
			})
		}
	}
	if out == nil {
		return false
	}
	gv := kubeResource{group: group, version: version}.apiVersion()
	writeJSON(w, http.StatusOK, map[string]any{"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": gv, "resources": out})
	return true
}

// parse reads a resource path; a trailing /status is the object itself.
func (k *Kubernetes) parse(parts []string) (kubeRequest, bool) {
	var group, version string
	switch {
	case len(parts) >= 3 && parts[0] == "api":
		version, parts = parts[1], parts[2:]
	case len(parts) >= 4 && parts[0] == "apis":
		group, version, parts = parts[1], parts[2], parts[3:]
	default:
		return kubeRequest{}, false
	}
	var req kubeRequest
	if parts[0] == "namespaces" && len(parts) >= 3 {
		req.namespace, parts = parts[1], parts[2:]
	}
	if len(parts) == 3 && parts[2] == "status" {
		parts = parts[:2]
	}
	if len(parts) > 2 {
		return req, false
	}
	if len(parts) == 2 {
		req.name = parts[1]
	}
	k.state.Lock()
	defer k.state.Unlock()
	for _, r := range k.resources {
		if r.group == group && r.version == version && r.plural == parts[0] {
			req.res = r
			return req, true
		}
	}
	return req, false
}

func (k *Kubernetes) serveOne(w http.ResponseWriter, req kubeRequest) {
	obj := k.Get(req.res.kind, req.namespace, req.name)
	if obj == nil {
		kubeStatus(w, http.StatusNotFound, "NotFound", fmt.Sprintf("%s %q not found", req.res.plural, req.name))
		return
	}
	writeJSON(w, http.StatusOK, obj)
}

func (k *Kubernetes) serveList(w http.ResponseWriter, req kubeRequest) {
	k.state.Lock()
	items := k.list(req.res, req.namespace, req.labels)
	rv := k.rv
	k.state.Unlock()
	writeJSON(w, http.StatusOK, map[string]any{
		"kind": req.res.kind + "List", "apiVersion": req.res.apiVersion(),
		"metadata": map[string]any{"resourceVersion": strconv.FormatUint(rv, 10)}, "items": items,
	})
}

// list needs the lock; an empty namespace is all of them.
func (k *Kubernetes) list(res kubeResource, namespace string, labels kubeSelector) []map[string]any {
	var keys []kubeKey
	for key := range k.objects {
		if key.matches(res, namespace) && labels.matches(k.objects[key]) {
			keys = append(keys, key)
		}
	}
	slices.SortStableFunc(keys, func(a, b kubeKey) int {
		return cmp.Or(cmp.Compare(a.namespace, b.namespace), cmp.Compare(a.name, b.name))
	})
	items := []map[string]any{}
	for _, key := range keys {
		items = append(items, deepCopy(k.objects[key]))
	}
	return items
}

func (key kubeKey) matches(res kubeResource, namespace string) bool {
	return key.plural == res.plural && key.group == res.group && (namespace == "" || key.namespace == namespace)
}

// write does create, update and delete, with the conflicts that a client such as
// leader election relies on. Patches are not offered.
func (k *Kubernetes) write(w http.ResponseWriter, r *http.Request, req kubeRequest) {
	if r.Method == http.MethodDelete {
		if err := k.Delete(req.res.kind, req.namespace, req.name); err != nil {
			kubeStatus(w, http.StatusNotFound, "NotFound", err.Error())
			return
		}
		writeJSON(w, http.StatusOK, map[string]any{"kind": "Status", "apiVersion": "v1", "status": "Success"})
		return
	}
	var obj map[string]any
	if err := json.NewDecoder(r.Body).Decode(&obj); err != nil || r.Method == http.MethodPatch {
		kubeStatus(w, http.StatusUnsupportedMediaType, "UnsupportedMediaType", "the lab takes JSON by POST and PUT")
		return
	}
	meta, _ := obj["metadata"].(map[string]any)
	if meta == nil {
		kubeStatus(w, http.StatusUnprocessableEntity, "Invalid", "metadata is required")
		return
	}
	obj["kind"], obj["apiVersion"] = req.res.kind, req.res.apiVersion()
	if req.namespace != "" {
		meta["namespace"] = req.namespace
	}
	if why := kubeRefused(req.res.kind, obj); why != "" {
		kubeStatus(w, http.StatusUnprocessableEntity, "Invalid", req.res.kind+" is invalid: "+why)
		return
	}
	name, _ := meta["name"].(string)
	if code, reason := k.update(req, name, meta["resourceVersion"], r.Method == http.MethodPost, obj); code != 0 {
		kubeStatus(w, code, reason, fmt.Sprintf("%s %q: %s", req.res.plural, name, reason))
		return
	}
	writeJSON(w, http.StatusOK, k.Get(req.res.kind, req.namespace, name))
}

// update checks and stores under one lock, as two candidates for a lease may race.
func (k *Kubernetes) update(req kubeRequest, name string, rv any, create bool, obj map[string]any) (code int, reason string) {
	k.state.Lock()
	defer k.state.Unlock()
	key := kubeKey{req.res.plural, req.res.group, req.namespace, name}
	old := k.objects[key]
	switch {
	case name == "" || !create && name != req.name:
		return http.StatusUnprocessableEntity, "Invalid"
	case create && old != nil:
		return http.StatusConflict, "AlreadyExists"
	case !create && old == nil:
		return http.StatusNotFound, "NotFound"
	case !create && rv != nil && rv != "" && rv != old["metadata"].(map[string]any)["resourceVersion"]:
		return http.StatusConflict, "Conflict"
	}
	k.store(key, deepCopy(obj))
	return 0, ""
}

// watch streams events as JSON lines until the client leaves, the history is
// forgotten, the watches are ended or timeoutSeconds pass.
func (k *Kubernetes) watch(w http.ResponseWriter, r *http.Request, req kubeRequest) {
	q := r.URL.Query()
	stream := &kubeStream{k: k, w: w, req: req, bookmarks: q.Get("allowWatchBookmarks") == "true"}
	timeout := 10 * time.Minute
	if s, err := strconv.Atoi(q.Get("timeoutSeconds")); err == nil && s > 0 {
		timeout = min(timeout, time.Duration(s)*time.Second)
	}
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusOK)
	stream.begin(q.Get("resourceVersion"), q.Get("sendInitialEvents") == "true")
	for {
		changed, more := stream.sendNew()
		if !more {
			return
		}
		select {
		case <-changed:
		case <-timer.C:
			return
		case <-r.Context().Done():
			return
		}
	}
}
