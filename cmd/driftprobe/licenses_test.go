package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestThirdPartyLicenses keeps the licences of all that is in the binary in the file that
// is shipped with it: go test ./cmd/driftprobe -run ThirdPartyLicenses -update-docs.
func TestThirdPartyLicenses(t *testing.T) {
	t.Parallel()
	want := thirdParty(t)
	if *updateDocs {
		if err := os.WriteFile(top+"THIRD_PARTY_LICENSES", []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(top + "THIRD_PARTY_LICENSES")
	if err != nil || string(got) != want {
		t.Errorf("THIRD_PARTY_LICENSES is not what the dependencies say (%v): make licenses", err)
	}
}

// thirdParty names each module in the binary, and has each text once.
func thirdParty(t *testing.T) string {
	t.Helper()
	list := exec.CommandContext(t.Context(), "go", "list", "-deps", "-f",
		`{{with .Module}}{{if not .Main}}{"Path": "{{.Path}}", "Version": "{{.Version}}", "Dir": {{printf "%q" .Dir}}}{{end}}{{end}}`, "./cmd/driftprobe")
	list.Dir, list.Env = top, append(os.Environ(), "GOOS=linux", "GOARCH=amd64", "CGO_ENABLED=0")
	out, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	root, err := exec.CommandContext(t.Context(), "go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	modules := strings.Split(strings.TrimSpace(string(out)), "\n")
	modules = append(modules, fmt.Sprintf(`{"Path": "the Go programming language", "Dir": %q}`, strings.TrimSpace(string(root))))
	slices.Sort(modules)
	texts, order := map[string][]string{}, []string(nil)
	for _, line := range slices.Compact(modules) {
		var m struct{ Path, Version, Dir string }
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Fatalf("%v in %s", err, line)
		}
		text := licenseOf(t, m.Path, m.Dir)
		if texts[text] == nil {
			order = append(order, text)
		}
		texts[text] = append(texts[text], strings.TrimSpace(m.Path+" "+m.Version))
	}
	var b strings.Builder
	b.WriteString("Licences of what is in the binary of driftprobe beside its own code.\nGenerated: make licenses.\n")
	above := map[string]string{}
	for _, text := range order {
		fmt.Fprintf(&b, "\n%s\n%s\n\n%s\n", strings.Repeat("=", 80), strings.Join(texts[text], "\n"), once(text, texts[text][0], above))
	}
	return b.String()
}

// once leaves the terms of a licence out where they stand above already, but for white space:
// the image carries this file. Copyright lines and notices stay.
func once(text, module string, above map[string]string) string {
	for _, part := range [][2]string{
		{"Version 2.0, January 2004", "END OF TERMS AND CONDITIONS"},
		{"APPENDIX: How to apply the Apache License to your work.", "same \"printed page\" as the copyright notice for easier\n      identification within third-party archives."},
		{"Redistribution and use in source and binary forms", "POSSIBILITY OF SUCH DAMAGE."},
		{"Permission is hereby granted, free of charge", "DEALINGS IN THE SOFTWARE."},
	} {
		before, rest, begins := strings.Cut(text, part[0])
		words, after, ends := strings.Cut(rest, part[1])
		if !begins || !ends {
			continue
		}
		key := strings.Join(strings.Fields(words), " ")
		if first := above[key]; first != "" {
			text = before + part[0] + "\n[word for word as above for " + first + "]\n" + part[1] + after
			continue
		}
		above[key] = module
	}
	return text
}

// licenseOf joins the files of a module that a distribution has to carry.
func licenseOf(t *testing.T, module, dir string) string {
	t.Helper()
	var parts []string
	for _, pattern := range []string{"LICEN[CS]E*", "COPYING*", "NOTICE*"} {
		files, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			parts = append(parts, strings.TrimSpace(strings.ReplaceAll(string(text), "\r\n", "\n")))
		}
	}
	if len(parts) == 0 {
		t.Errorf("%s has no licence: may it be shipped?", module)
	}
	return strings.Join(parts, "\n\n")
}
