package kube

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"k8s.io/client-go/transport"
)

// Settings say where the cluster is.
type Settings struct {
	// Kubeconfig is a file, or a list of files as in $KUBECONFIG. Empty: the
	// cluster that the program itself runs in. The usual files of a home folder
	// are never read unasked: that is for the caller to choose.
	Kubeconfig string
	// Context is a context of the kubeconfig; empty: its current one.
	Context string
	// Namespaces are the only ones to read; empty: all.
	Namespaces []string
	// HTTPSPort is where the hosts that Ingresses declare answer; 0 means 443.
	HTTPSPort uint16
	// Log gets one line when a resource stops or starts being readable, and the
	// client's own words at debug level. Nil: none.
	Log *slog.Logger
}

// Error says what was wrong with the way to the cluster.
type Error struct {
	what string
	hint string
	err  error
}

// Error names the file or context, and what is wrong with it.
func (e *Error) Error() string {
	if e.err == nil {
		return e.what
	}
	return e.what + ": " + clip(e.err.Error())
}

// Hint says what to do about it.
func (e *Error) Hint() string { return e.hint }

// Unwrap returns the cause, or nil.
func (e *Error) Unwrap() error { return e.err }

// Open reads the settings and prepares a client. It asks the cluster nothing.
// Errors are of type *Error.
func Open(s Settings) (*Cluster, error) {
	client, ask, place, err := connect(s)
	if err != nil {
		return nil, err
	}
	c := newCluster(client, place, namespaces(s.Namespaces), s.log())
	c.served.ask = ask
	c.port = cmp.Or(s.HTTPSPort, 443)
	return c, nil
}

func (s Settings) log() *slog.Logger {
	if s.Log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return s.Log
}

// connect returns the two ways to ask, and the name of the place that they lead to.
func connect(s Settings) (dynamic.Interface, func(context.Context, string) ([]byte, error), string, error) {
	config, place, err := restConfig(s)
	if err != nil {
		return nil, nil, "", err
	}
	config.UserAgent = "driftprobe"
	// Two requests for each resource and namespace come at once at the start.
	config.QPS, config.Burst = 20, 60
	if file := config.BearerTokenFile; file != "" {
		// A token that was refused is read again at once, and not after a minute.
		config.Wrap(transport.ResettableTokenSourceWrapTransport(transport.NewCachedFileTokenSource(file)))
		config.BearerToken, config.BearerTokenFile = "", ""
	}
	// The default handler writes the server's warnings to stderr.
	config.WarningHandler = rest.NoWarnings{}
	client, ask, err := clients(config)
	if err != nil {
		return nil, nil, "", &Error{place + ": no client can be made from it", "check the server URL, certificates and keys of that context", err}
	}
	return client, ask, place, nil
}

// clients makes the client for objects, and a way to get single documents.
func clients(config *rest.Config) (dynamic.Interface, func(context.Context, string) ([]byte, error), error) {
	shared, err := rest.HTTPClientFor(config)
	if err != nil {
		return nil, nil, err
	}
	objects, err := dynamic.NewForConfigAndClient(config, shared)
	if err != nil {
		return nil, nil, err
	}
	plain, err := rest.UnversionedRESTClientForConfigAndClient(dynamic.ConfigFor(config), shared)
	if err != nil {
		return nil, nil, err
	}
	return objects, func(ctx context.Context, path string) ([]byte, error) {
		return plain.Get().AbsPath(path).Do(ctx).Raw()
	}, nil
}

// namespaces returns each once, in order; one empty name stands for all.
func namespaces(list []string) []string {
	list = slices.DeleteFunc(slices.Clone(list), func(n string) bool { return n == "" })
	if len(list) == 0 {
		return []string{""}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// restConfig returns the client's configuration and a name for its place.
func restConfig(s Settings) (*rest.Config, string, error) {
	if s.Kubeconfig == "" {
		return inCluster(s)
	}
	files := filepath.SplitList(s.Kubeconfig)
	rules := &clientcmd.ClientConfigLoadingRules{Precedence: files}
	place := "kubeconfig " + s.Kubeconfig
	if err := readable(files); err != nil {
		hint := "give the path of an existing file"
		if !errors.Is(err, fs.ErrNotExist) {
			hint = "make it readable for the user that runs driftprobe"
		}
		return nil, "", &Error{place, hint, err}
	}
	raw, err := rules.Load()
	if err != nil {
		return nil, "", &Error{place + " can't be understood", "check it with: kubectl config view --kubeconfig " + files[0], firstLine(err)}
	}
	name := s.Context
	if name == "" {
		name = raw.CurrentContext
	}
	if name == "" {
		return nil, "", &Error{place + " has no current context", "name one with kubernetes.context" + known(raw), nil}
	}
	if raw.Contexts[name] == nil {
		return nil, "", &Error{fmt.Sprintf("%s has no context %q", place, name), "name another with kubernetes.context" + known(raw), nil}
	}
	place += ", context " + name
	config, err := clientcmd.NewNonInteractiveClientConfig(*raw, name, &clientcmd.ConfigOverrides{}, rules).ClientConfig()
	if err != nil {
		return nil, "", &Error{place, "check the cluster and user of that context with: kubectl config view", firstLine(err)}
	}
	return config, place, nil
}

// readable returns nil if one of the files can be opened: of several, as in
// $KUBECONFIG, absent ones are passed over.
func readable(files []string) error {
	var first error
	for _, name := range files {
		file, err := os.Open(name)
		if err == nil {
			return file.Close()
		}
		if first == nil {
			first = errors.Unwrap(err) // without the path, which the message has already
		}
	}
	return first
}

func inCluster(s Settings) (*rest.Config, string, error) {
	if s.Context != "" {
		return nil, "", &Error{fmt.Sprintf("context %q is named, but no kubeconfig", s.Context), "name the file with kubernetes.kubeconfig", nil}
	}
	config, err := rest.InClusterConfig()
	if errors.Is(err, rest.ErrNotInCluster) {
		return nil, "", &Error{"no kubeconfig is named, and the program does not run in a cluster", "name the file with kubernetes.kubeconfig, or set KUBECONFIG", nil}
	}
	if err != nil {
		return nil, "", &Error{"the service account of this pod", "mount its token (automountServiceAccountToken), or name a kubeconfig", err}
	}
	return config, "the cluster around this pod", nil
}

// known lists the contexts that there are, the first ten.
func known(raw *clientcmdapi.Config) string {
	names := make([]string, 0, len(raw.Contexts))
	for name := range raw.Contexts {
		names = append(names, name)
	}
	if len(names) == 0 {
		return ""
	}
	slices.Sort(names)
	return "; there are: " + clip(strings.Join(names[:min(len(names), 10)], ", "))
}

// firstLine cuts an error to its first line: the rest can quote the file, which
// holds credentials.
func firstLine(err error) error {
	text, _, _ := strings.Cut(err.Error(), "\n")
	return errors.New(clip(text))
}
