package lab

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// doPageLimit is the largest page the API gives; 20 is its default.
const doPageLimit = 200

func (d *DigitalOcean) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v2/load_balancers", d.listLBs)
	mux.HandleFunc("POST /v2/load_balancers", d.postLB)
	mux.HandleFunc("GET /v2/load_balancers/{id}", d.getLB)
	mux.HandleFunc("DELETE /v2/load_balancers/{id}", d.deleteLB)
	mux.HandleFunc("GET /v2/domains/{zone}/records", d.listRecords)
	mux.HandleFunc("GET /v2/domains/{zone}/records/{id}", d.getRecord)
	mux.HandleFunc("PUT /v2/domains/{zone}/records/{id}", d.putRecord)
	mux.HandleFunc("PATCH /v2/domains/{zone}/records/{id}", d.putRecord)
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { doNotFound(w) })
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if d.admit(w, r) {
			d.provision()
			mux.ServeHTTP(w, r)
		}
	})
}

// admit checks the token, the rate limit and the scope, in that order.
func (d *DigitalOcean) admit(w http.ResponseWriter, r *http.Request) bool {
	d.state.Lock()
	defer d.state.Unlock()
	if r.Header.Get("Authorization") != "Bearer "+d.token {
		doError(w, http.StatusUnauthorized, "unauthorized", "Unable to authenticate you")
		return false
	}
	if !d.quota.take(w.Header(), time.Now()) {
		doError(w, http.StatusTooManyRequests, "too_many_requests", "API Rate limit exceeded.")
		return false
	}
	for prefix, denied := range d.denied {
		if denied && strings.HasPrefix(r.URL.Path, prefix) {
			doError(w, http.StatusForbidden, "forbidden", "You are not authorized to perform this operation")
			return false
		}
	}
	return true
}

// DOError is an HTTPFault that answers as the API does when it fails, for
// instance DOError(503, "service_unavailable", "…").
func DOError(status int, id, message string) HTTPFault {
	return func(w http.ResponseWriter, _ *http.Request) bool {
		doError(w, status, id, message)
		return true
	}
}

func doError(w http.ResponseWriter, status int, id, message string) {
	writeJSON(w, status, map[string]string{"id": id, "message": message, "request_id": "1ab00000-0000-4000-8000-000000000000"})
}

func doNotFound(w http.ResponseWriter) {
	doError(w, http.StatusNotFound, "not_found", "The resource you were accessing could not be found.")
}

// writeJSON is shared by the HTTP parts.
func writeJSON(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // the client may be gone: its affair
}

func (d *DigitalOcean) listLBs(w http.ResponseWriter, r *http.Request) {
	d.state.Lock()
	lbs := append([]LoadBalancer{}, d.lbs...)
	d.state.Unlock()
	writePage(w, r, d.URL(), "load_balancers", lbs)
}

// writePage cuts a list to the page asked for, with the API's links and meta.
func writePage[T any](w http.ResponseWriter, r *http.Request, base, key string, items []T) {
	page, size := pageOf(r.URL.Query())
	last := max(1, (len(items)+size-1)/size)
	from := min(len(items), (page-1)*size)
	links := map[string]any{}
	link := func(n int) string {
		q := r.URL.Query()
		q.Set("page", strconv.Itoa(n))
		q.Set("per_page", strconv.Itoa(size))
		return base + r.URL.Path + "?" + q.Encode()
	}
	pages := map[string]string{}
	if page > 1 {
		pages["first"], pages["prev"] = link(1), link(page-1)
	}
	if page < last {
		pages["next"], pages["last"] = link(page+1), link(last)
	}
	if len(pages) > 0 {
		links["pages"] = pages
	}
	writeJSON(w, http.StatusOK, map[string]any{
		key:     items[from:min(len(items), from+size)],
		"links": links,
		"meta":  map[string]int{"total": len(items)},
	})
}

func pageOf(q url.Values) (page, size int) {
	page, size = 1, 20
	if n, err := strconv.Atoi(q.Get("page")); err == nil && n > 0 {
		page = min(n, 1_000_000)
	}
	if n, err := strconv.Atoi(q.Get("per_page")); err == nil && n > 0 {
		size = min(n, doPageLimit)
	}
	return page, size
}

func (d *DigitalOcean) getLB(w http.ResponseWriter, r *http.Request) {
	d.state.Lock()
	defer d.state.Unlock()
	if i := d.indexOf(r.PathValue("id")); i >= 0 {
		writeJSON(w, http.StatusOK, map[string]any{"load_balancer": d.lbs[i]})
		return
	}
	doNotFound(w)
}

func (d *DigitalOcean) postLB(w http.ResponseWriter, r *http.Request) {
	var lb LoadBalancer
	var in struct {
		Name         string   `json:"name"`
		Type         string   `json:"type"`
		Network      string   `json:"network"`
		NetworkStack string   `json:"network_stack"`
		Tags         []string `json:"tags"`
		Region       string   `json:"region"`
		PROXY        bool     `json:"enable_proxy_protocol"`
	}
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil || in.Name == "" {
		doError(w, http.StatusUnprocessableEntity, "unprocessable_entity", "name is required")
		return
	}
	lb.Name, lb.Type, lb.Network, lb.NetworkStack, lb.Tags = in.Name, in.Type, in.Network, in.NetworkStack, in.Tags
	lb.EnableProxyProtocol = in.PROXY
	if in.Region != "" {
		lb.Region = &DORegion{Slug: in.Region}
	}
	created := d.create(lb)
	d.state.Lock()
	if i := d.indexOf(created.ID); i >= 0 {
		created = d.lbs[i] // with the defaults
	}
	d.state.Unlock()
	writeJSON(w, http.StatusAccepted, map[string]any{"load_balancer": created})
}

func (d *DigitalOcean) deleteLB(w http.ResponseWriter, r *http.Request) {
	if !d.RemoveLoadBalancer(r.PathValue("id")) {
		doNotFound(w)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// listRecords filters by type and by the full name, as the API does.
func (d *DigitalOcean) listRecords(w http.ResponseWriter, r *http.Request) {
	zone, q := r.PathValue("zone"), r.URL.Query()
	d.state.Lock()
	records, ok := d.records[zone]
	var found = []DomainRecord{}
	for _, rec := range records {
		name := fullName(rec.Name, zone)
		if (q.Get("type") == "" || q.Get("type") == rec.Type) && (q.Get("name") == "" || q.Get("name") == name) {
			found = append(found, rec)
		}
	}
	d.state.Unlock()
	if !ok {
		doNotFound(w)
		return
	}
	writePage(w, r, d.URL(), "domain_records", found)
}

func fullName(name, zone string) string {
	if name == "@" {
		return zone
	}
	return name + "." + zone
}

func (d *DigitalOcean) getRecord(w http.ResponseWriter, r *http.Request) {
	for _, rec := range d.Records(r.PathValue("zone")) {
		if fmt.Sprint(rec.ID) == r.PathValue("id") {
			writeJSON(w, http.StatusOK, map[string]any{"domain_record": rec})
			return
		}
	}
	doNotFound(w)
}

func (d *DigitalOcean) putRecord(w http.ResponseWriter, r *http.Request) {
	var change DomainRecord
	if err := json.NewDecoder(r.Body).Decode(&change); err != nil {
		doError(w, http.StatusUnprocessableEntity, "unprocessable_entity", "the body is not a record")
		return
	}
	id, _ := strconv.Atoi(r.PathValue("id")) // 0 is no record's id
	rec, ok := d.updateRecord(r.PathValue("zone"), id, change)
	if !ok {
		doNotFound(w)
		return
	}
	writeJSON(w, http.StatusOK, map[string]any{"domain_record": rec})
}
