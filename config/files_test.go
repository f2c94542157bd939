package config

import (
	"reflect"
	"regexp"
	"strings"
	"testing"
)

// Each key whose value is the path of a file is known as one.
func TestEveryKeyOfAFileIsKnown(t *testing.T) {
	c, err := Load("testdata/good/full.yaml")
	if err != nil {
		t.Fatal(err)
	}
	c.Alerts.Slack.WebhookURLFile, c.State.File = "a", "b" // exclude others that the file has
	c.Alerts.Alertmanager.BasicAuth.PasswordFile = "c"
	known := map[string]bool{}
	c.eachFile(func(f namedFile) string {
		known[regexp.MustCompile(`\[\d+\]`).ReplaceAllString(f.key, "[]")] = true
		return f.path
	})
	var check func(reflect.Type, string)
	check = func(section reflect.Type, path string) {
		for _, k := range keysOf(section) {
			field, at := section.FieldByIndex(k.field).Type, join(path, k.key)
			if field.Kind() == reflect.Slice {
				field, at = field.Elem(), at+"[]"
			}
			if field.Kind() == reflect.Struct && !expectation(field).scalar {
				check(field, at)
			}
			isFile := strings.HasSuffix(k.key, "file") || k.key == "kubeconfig"
			if isFile && !known[at] {
				t.Errorf("%s is not known as a file", at)
			}
		}
	}
	check(reflect.TypeFor[Config](), "")
	if !known["targets[].header_files.X-Api-Key"] {
		t.Error("header files are not known")
	}
}

// A file with a name that a message must not repeat is not opened.
func TestWhatWasRefusedIsNotOpened(t *testing.T) {
	c, problems := parse("x.yaml", []byte("digitalocean: {token_file: dop_v1_"+hidden+"}\ntls: {ca_file: none.pem}\n"))
	if len(problems) != 1 {
		t.Fatal(problems)
	}
	wrong := c.Unusable()
	if len(wrong) != 1 || wrong[0].Path != "tls.ca_file" || wrong[0].Line != 2 || strings.Contains(wrong.Error(), hidden) {
		t.Errorf("got %v", wrong)
	}
	c.Given("tls.ca_file", "--tls.ca-file")
	if wrong = c.Unusable(); len(wrong) != 1 || !strings.HasPrefix(wrong.Error(), `--tls.ca-file: there is no file "none.pem"`) {
		t.Errorf("got %v", wrong)
	}
	if p := c.At("state.file", "is bad", "mend it"); p.Error() != "state.file: is bad" {
		t.Errorf("got %v", p)
	}
}
