package interop

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"github.com/spiffe/go-spiffe/v2/spiffetls"
	"github.com/spiffe/go-spiffe/v2/spiffetls/tlsconfig"
	"github.com/spiffe/go-spiffe/v2/svid/jwtsvid"
	"github.com/spiffe/go-spiffe/v2/svid/x509svid"
	"github.com/spiffe/go-spiffe/v2/workloadapi"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// The Workload API's address comes from SPIFFE_ENDPOINT_SOCKET, which go-spiffe reads by itself.

func setting(t *testing.T, name string) string {
	t.Helper()
	value := os.Getenv(name)
	if value == "" {
		t.Skipf("%s is not set: start these tests through pytest", name)
	}
	return value
}

func within(t *testing.T, limit time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	t.Cleanup(cancel)
	return ctx
}

// An X509Source gets the registered identity and follows a rotation.
func TestWorkloadX509SourceRotates(t *testing.T) {
	expected := spiffeid.RequireFromString(setting(t, "FINIAL_EXPECT_ID"))
	ctx := within(t, 60*time.Second)
	source, err := workloadapi.NewX509Source(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	first, err := source.GetX509SVID()
	if err != nil {
		t.Fatal(err)
	}
	if first.ID != expected {
		t.Fatalf("identity is %s, not %s", first.ID, expected)
	}
	for {
		select {
		case <-source.Updated():
		case <-ctx.Done():
			t.Fatal("no rotation was seen")
		}
		now, err := source.GetX509SVID()
		if err != nil {
			t.Fatal(err)
		}
		if now.Certificates[0].SerialNumber.Cmp(first.Certificates[0].SerialNumber) != 0 {
			verify(t, source, now)
			return
		}
	}
}

func verify(t *testing.T, source *workloadapi.X509Source, svid *x509svid.SVID) {
	t.Helper()
	if _, _, err := x509svid.Verify(svid.Certificates, source); err != nil {
		t.Fatalf("the SVID does not verify with its own bundle: %v", err)
	}
}

type watcher struct {
	updates chan *workloadapi.X509Context
	errors  chan error
}

func (w *watcher) OnX509ContextUpdate(c *workloadapi.X509Context) { w.updates <- c }
func (w *watcher) OnX509ContextWatchError(err error)              { w.errors <- err }

// A watcher is told at once and again after a rotation, each time the whole context.
func TestWorkloadWatcher(t *testing.T) {
	setting(t, "FINIAL_EXPECT_ID")
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	w := &watcher{updates: make(chan *workloadapi.X509Context, 16), errors: make(chan error, 16)}
	go func() { _ = workloadapi.WatchX509Context(ctx, w) }()
	for seen := 0; seen < 2; {
		select {
		case update := <-w.updates:
			if len(update.SVIDs) == 0 || update.Bundles.Len() == 0 {
				t.Fatal("an update was not whole")
			}
			seen++
		case err := <-w.errors:
			t.Fatal(err)
		case <-ctx.Done():
			t.Fatal("the second update did not come")
		}
	}
}

// A JWTSource fetches a token for an audience; it verifies here and at the agent.
func TestWorkloadJWTSource(t *testing.T) {
	expected := spiffeid.RequireFromString(setting(t, "FINIAL_EXPECT_ID"))
	ctx := within(t, 30*time.Second)
	source, err := workloadapi.NewJWTSource(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	token, err := source.FetchJWTSVID(ctx, jwtsvid.Params{Audience: "db", ExtraAudiences: []string{"cache"}})
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := jwtsvid.ParseAndValidate(token.Marshal(), source, []string{"cache"})
	if err != nil {
		t.Fatal(err)
	}
	if parsed.ID != expected || len(parsed.Audience) != 2 {
		t.Fatalf("token is for %s with audience %v", parsed.ID, parsed.Audience)
	}
	validated, err := workloadapi.ValidateJWTSVID(ctx, token.Marshal(), "db")
	if err != nil {
		t.Fatal(err)
	}
	if validated.ID != expected {
		t.Fatalf("validated as %s", validated.ID)
	}
	_, err = workloadapi.ValidateJWTSVID(ctx, token.Marshal(), "other")
	if status.Code(err) != codes.InvalidArgument {
		t.Fatalf("a foreign audience gave %v", err)
	}
}

// Bundles of both kinds name the own trust domain.
func TestWorkloadBundles(t *testing.T) {
	expected := spiffeid.RequireFromString(setting(t, "FINIAL_EXPECT_ID"))
	ctx := within(t, 30*time.Second)
	x509Bundles, err := workloadapi.FetchX509Bundles(ctx)
	if err != nil {
		t.Fatal(err)
	}
	bundle, err := x509Bundles.GetX509BundleForTrustDomain(expected.TrustDomain())
	if err != nil || len(bundle.X509Authorities()) == 0 {
		t.Fatalf("no X.509 authority: %v", err)
	}
	jwtBundles, err := workloadapi.FetchJWTBundles(ctx)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := jwtBundles.GetJWTBundleForTrustDomain(expected.TrustDomain())
	if err != nil || len(keys.JWTAuthorities()) == 0 {
		t.Fatalf("no JWT authority: %v", err)
	}
}

// A caller without an entry is told PermissionDenied.
func TestWorkloadUnregistered(t *testing.T) {
	setting(t, "FINIAL_EXPECT_NONE")
	_, err := workloadapi.FetchX509SVID(within(t, 30*time.Second))
	if status.Code(err) != codes.PermissionDenied {
		t.Fatalf("expected PermissionDenied, got %v", err)
	}
}

// A Python peer, whose command is in FINIAL_PEER, calls a Go server over mTLS.
func TestWorkloadServesPythonPeer(t *testing.T) {
	expected := spiffeid.RequireFromString(setting(t, "FINIAL_EXPECT_ID"))
	peer := setting(t, "FINIAL_PEER")
	ctx := within(t, 30*time.Second)
	listener, err := spiffetls.Listen(ctx, "tcp", "127.0.0.1:0", tlsconfig.AuthorizeID(expected))
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	command := exec.CommandContext(ctx, "sh", "-c", peer+" dial "+listener.Addr().String()+" "+expected.String())
	command.Stderr = os.Stderr
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	conn, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	if err := echo(conn); err != nil {
		t.Fatal(err)
	}
	if err := command.Wait(); err != nil {
		t.Fatalf("the Python peer: %v", err)
	}
}

func echo(conn net.Conn) error {
	defer conn.Close()
	buffer := make([]byte, 5)
	if _, err := io.ReadFull(conn, buffer); err != nil {
		return err
	}
	_, err := conn.Write(buffer)
	return err
}

// A Go client calls a Python server over mTLS.
func TestWorkloadCallsPythonPeer(t *testing.T) {
	expected := spiffeid.RequireFromString(setting(t, "FINIAL_EXPECT_ID"))
	peer := setting(t, "FINIAL_PEER")
	ctx := within(t, 30*time.Second)
	command := exec.CommandContext(ctx, "sh", "-c", peer+" listen "+expected.String())
	command.Stderr = os.Stderr
	output, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = command.Process.Kill() }()
	var address string
	if _, err := fmt.Fscanln(output, &address); err != nil {
		t.Fatal(err)
	}
	conn, err := spiffetls.Dial(ctx, "tcp", address, tlsconfig.AuthorizeID(expected))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Write([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	answer := make([]byte, 5)
	if _, err := io.ReadFull(conn, answer); err != nil || string(answer) != "hello" {
		t.Fatalf("answer %q, %v", answer, err)
	}
	id, err := spiffetls.PeerIDFromConn(conn)
	if err != nil || id != expected {
		t.Fatalf("peer is %s, %v", id, err)
	}
}
