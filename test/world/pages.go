package world

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/crypto/bcrypt"

	"driftprobe/internal/lab"
)

// What HAProxy keeps in memory to answer by itself has to fit into a buffer of 16 KiB.
const haproxyMost = 12 << 10

// plainly tells whether a page is what any web server can answer by itself: its own
// length, no echo, nothing that breaks the protocol, and no method to tell apart.
func plainly(path string, p lab.Page) bool {
	_, lies := p.Header["Content-Length"]
	return p.Raw == "" && p.Again == "" && !p.Holds && !p.Echoes && p.Delay == 0 && !lies &&
		(path == "" || path[0] == '/') && !(p.Closes && p.Body != "")
}

// answers tells whether the pages of a site are such. None introduces a client to whom it
// passes requests on: nginx and an old Caddy cannot.
func answers(s Site, more func(lab.Page) bool) bool {
	if s.Introduces {
		return false
	}
	for path, page := range s.Pages {
		if !plainly(path, page) || !more(page) {
			return false
		}
	}
	return true
}

// small is what HAProxy can answer.
func small(p lab.Page) bool {
	size := len(p.Body)
	for name, value := range p.Header {
		size += len(name) + len(value)
	}
	return size < haproxyMost && p.Rate == 0
}

func quick(p lab.Page) bool { return p.Rate == 0 }

// rest sorts the paths of a site, that of all others last.
func rest(s Site) []string {
	paths := slices.Sorted(maps.Keys(s.Pages))
	if len(paths) > 0 && paths[0] == "" {
		return append(paths[1:], "")
	}
	return paths
}

// bodyFile writes the body of a page, and returns its name in the folder.
func bodyFile(t testing.TB, dir string, s Site, i int) string {
	t.Helper()
	name := fmt.Sprintf("%d-%d.body", s.At.Port(), i)
	writeFile(t, filepath.Join(dir, name), s.Pages[rest(s)[i]].Body)
	return name
}

// fields are the headers of a page, in the order of their names.
func fields(s Site, p lab.Page, line func(name, value string) string) string {
	all := p.Headers(s.At.Port())
	return each(slices.Sorted(maps.Keys(all)), func(name string) string { return line(name, all[name]) })
}

// inQuotes is a text in double quotes, as nginx and HAProxy read it. No row has a "$".
func inQuotes(text string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(text) + `"`
}

// patience writes how many milliseconds a proxy waits for the server behind it; nothing if
// that is its own affair.
func patience(s Site, format string) string {
	if s.Patience == 0 {
		return ""
	}
	return fmt.Sprintf(format, s.Patience.Milliseconds())
}

func nginxPages(t testing.TB, dir string, s Site) string {
	t.Helper()
	if s.Behind.IsValid() {
		return fmt.Sprintf("location / { proxy_pass http://%s; proxy_set_header Host $http_host;%s }", s.Behind, patience(s, " proxy_read_timeout %dms;"))
	}
	if len(s.Pages) == 0 {
		return "return 200 ok;"
	}
	var b strings.Builder
	for i, path := range rest(s) {
		page := s.Pages[path]
		where := "/"
		if path != "" {
			where = "= " + path
		}
		fmt.Fprintf(&b, "location %s { default_type text/plain; ", where)
		b.WriteString(fields(s, page, func(name, value string) string {
			if name == "Location" {
				return ""
			}
			return fmt.Sprintf("add_header %s %s always; ", name, inQuotes(value))
		}))
		status := max(page.Status, 200)
		switch {
		case page.Closes:
			b.WriteString("return 444;")
		case page.Location != "":
			fmt.Fprintf(&b, "return %d %s;", status, inQuotes(page.Headers(s.At.Port())["Location"]))
		case status == 200: // from a file: "return" comes before passwords, and holds no bytes
			if page.Login != "" {
				user, password, _ := strings.Cut(page.Login, ":")
				users := writeFile(t, filepath.Join(dir, fmt.Sprintf("%d.users", s.At.Port())), user+":{PLAIN}"+password+"\n")
				fmt.Fprintf(&b, "auth_basic inside; auth_basic_user_file %s; ", users)
			}
			if page.Rate > 0 {
				fmt.Fprintf(&b, "limit_rate %d; ", page.Rate)
			}
			fmt.Fprintf(&b, "root %s; try_files /%s =500;", dir, bodyFile(t, dir, s, i))
		default:
			fmt.Fprintf(&b, "return %d %s;", status, inQuotes(page.Body))
		}
		b.WriteString(" } ")
	}
	return b.String()
}

func haproxyPages(t testing.TB, dir string, s Site) string {
	t.Helper()
	port := s.At.Port()
	if s.Behind.IsValid() {
		return fmt.Sprintf("    default_backend behind%d\nbackend behind%[1]d\n    retries 0\n%s    server it %s\n", port, patience(s, "    timeout server %dms\n"), s.Behind)
	}
	if len(s.Pages) == 0 {
		return "    http-request return status 200 content-type text/plain string ok\n"
	}
	users := ""
	var b strings.Builder
	for i, path := range rest(s) {
		page := s.Pages[path]
		where := ""
		if path != "" {
			where = " { path " + path + " }"
		}
		on := func(condition string) string {
			if where+condition == "" {
				return "\n"
			}
			return " if" + where + condition + "\n"
		}
		if page.Login != "" {
			user, password, _ := strings.Cut(page.Login, ":")
			users = fmt.Sprintf("userlist of%d\n    user %s insecure-password %s\n", port, user, password)
			fmt.Fprintf(&b, "    http-request auth realm inside%s", on(fmt.Sprintf(" !{ http_auth(of%d) }", port)))
		}
		if page.Closes {
			b.WriteString("    http-request reject" + on(""))
			continue
		}
		fmt.Fprintf(&b, "    http-request return status %d", max(page.Status, 200))
		if page.Body != "" {
			fmt.Fprintf(&b, " content-type text/plain file %s", filepath.Join(dir, bodyFile(t, dir, s, i)))
		}
		b.WriteString(fields(s, page, func(name, value string) string { return fmt.Sprintf(" hdr %s %s", name, inQuotes(value)) }))
		b.WriteString(on(""))
	}
	return b.String() + users
}

func caddyPages(t testing.TB, dir string, s Site) string {
	t.Helper()
	if s.Behind.IsValid() {
		return fmt.Sprintf("  reverse_proxy %s%s\n", s.Behind, patience(s, " {\n    transport http {\n      response_header_timeout %dms\n    }\n  }"))
	}
	if len(s.Pages) == 0 {
		return "  respond ok\n"
	}
	var b strings.Builder
	for i, path := range rest(s) {
		page := s.Pages[path]
		b.WriteString(strings.TrimSpace("  handle "+path) + " {\n")
		b.WriteString(fields(s, page, func(name, value string) string { return fmt.Sprintf("    header %s %s\n", name, strconv.Quote(value)) }))
		if page.Login != "" {
			user, password, _ := strings.Cut(page.Login, ":")
			hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
			if err != nil {
				t.Fatalf("hash a password: %v", err)
			}
			fmt.Fprintf(&b, "    basicauth {\n      %s %s\n    }\n", user, hash)
		}
		status := max(page.Status, 200)
		switch {
		case page.Closes:
			b.WriteString("    abort\n")
		case status == 200 && page.Body != "":
			fmt.Fprintf(&b, "    root * %s\n    rewrite * /%s\n    file_server\n", dir, bodyFile(t, dir, s, i))
		case page.Body != "":
			fmt.Fprintf(&b, "    respond %s %d\n", strconv.Quote(page.Body), status)
		default:
			fmt.Fprintf(&b, "    respond %d\n", status)
		}
		b.WriteString("  }\n")
	}
	return b.String()
}
