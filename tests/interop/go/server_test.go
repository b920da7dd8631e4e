package interop

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"net/url"
	"testing"

	"github.com/spiffe/go-spiffe/v2/bundle/x509bundle"
	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"github.com/spiffe/go-spiffe/v2/spiffetls/tlsconfig"
	"github.com/spiffe/go-spiffe/v2/svid/x509svid"
	agentv1 "github.com/spiffe/spire-api-sdk/proto/spire/api/server/agent/v1"
	bundlev1 "github.com/spiffe/spire-api-sdk/proto/spire/api/server/bundle/v1"
	entryv1 "github.com/spiffe/spire-api-sdk/proto/spire/api/server/entry/v1"
	"github.com/spiffe/spire-api-sdk/proto/spire/api/types"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
)

// server is a finial server seen by SPIRE's API client: its local socket and its agents' port.
type server struct {
	t           *testing.T
	trustDomain spiffeid.TrustDomain
	address     string
	local       *grpc.ClientConn
}

func dialServer(t *testing.T) *server {
	t.Helper()
	local, err := grpc.NewClient("unix://"+setting(t, "FINIAL_SERVER_SOCKET"),
		grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = local.Close() })
	return &server{
		t:           t,
		trustDomain: spiffeid.RequireTrustDomainFromString(setting(t, "FINIAL_TRUST_DOMAIN")),
		address:     setting(t, "FINIAL_GRPC_ADDRESS"),
		local:       local,
	}
}

func (s *server) bundle(ctx context.Context) *x509bundle.Bundle {
	s.t.Helper()
	answer, err := bundlev1.NewBundleClient(s.local).GetBundle(ctx, &bundlev1.GetBundleRequest{})
	if err != nil {
		s.t.Fatal(err)
	}
	bundle := x509bundle.New(s.trustDomain)
	for _, authority := range answer.X509Authorities {
		certificate, err := x509.ParseCertificate(authority.Asn1)
		if err != nil {
			s.t.Fatal(err)
		}
		bundle.AddX509Authority(certificate)
	}
	return bundle
}

func (s *server) id(path string) *types.SPIFFEID {
	return &types.SPIFFEID{TrustDomain: s.trustDomain.Name(), Path: path}
}

// connect opens a connection to the agents' port, with an SVID or without one.
func (s *server) connect(ctx context.Context, svid *x509svid.SVID) *grpc.ClientConn {
	s.t.Helper()
	authorize := tlsconfig.AuthorizeID(spiffeid.RequireFromPath(s.trustDomain, "/spire/server"))
	var config *tls.Config
	if svid == nil {
		config = tlsconfig.TLSClientConfig(s.bundle(ctx), authorize)
	} else {
		config = tlsconfig.MTLSClientConfig(svid, s.bundle(ctx), authorize)
	}
	config.NextProtos = []string{"h2"}
	conn, err := grpc.NewClient(s.address, grpc.WithTransportCredentials(credentials.NewTLS(config)))
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func newCSR(t *testing.T, key crypto.Signer, uris ...string) []byte {
	t.Helper()
	template := &x509.CertificateRequest{
		Subject: pkix.Name{Country: []string{"US"}, Organization: []string{"SPIRE"}},
	}
	for _, text := range uris {
		uri, err := url.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		template.URIs = append(template.URIs, uri)
	}
	csr, err := x509.CreateCertificateRequest(rand.Reader, template, key)
	if err != nil {
		t.Fatal(err)
	}
	return csr
}

func newSVID(t *testing.T, answer *types.X509SVID, key crypto.Signer) *x509svid.SVID {
	t.Helper()
	var chain []*x509.Certificate
	for _, der := range answer.CertChain {
		certificate, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		chain = append(chain, certificate)
	}
	id, err := x509svid.IDFromCert(chain[0])
	if err != nil {
		t.Fatal(err)
	}
	return &x509svid.SVID{ID: id, Certificates: chain, PrivateKey: key}
}

// joined is an agent that attested with a join token.
type joined struct {
	*server
	svid *x509svid.SVID
	conn *grpc.ClientConn
}

func attest(ctx context.Context, s *server, token string) (*types.X509SVID, *ecdsa.PrivateKey, error) {
	key := newKey(s.t)
	stream, err := agentv1.NewAgentClient(s.connect(ctx, nil)).AttestAgent(ctx)
	if err != nil {
		return nil, nil, err
	}
	err = stream.Send(&agentv1.AttestAgentRequest{Step: &agentv1.AttestAgentRequest_Params_{
		Params: &agentv1.AttestAgentRequest_Params{
			Data:   &types.AttestationData{Type: "join_token", Payload: []byte(token)},
			Params: &agentv1.AgentX509SVIDParams{Csr: newCSR(s.t, key)},
		}}})
	if err != nil {
		return nil, nil, err
	}
	answer, err := stream.Recv()
	if err != nil {
		return nil, nil, err
	}
	return answer.GetResult().GetSvid(), key, nil
}

func join(ctx context.Context, s *server) *joined {
	s.t.Helper()
	token, err := agentv1.NewAgentClient(s.local).CreateJoinToken(ctx, &agentv1.CreateJoinTokenRequest{Ttl: 600})
	if err != nil {
		s.t.Fatal(err)
	}
	answer, key, err := attest(ctx, s, token.Value)
	if err != nil {
		s.t.Fatal(err)
	}
	svid := newSVID(s.t, answer, key)
	if _, _, err := attest(ctx, s, token.Value); status.Code(err) != codes.InvalidArgument {
		s.t.Fatalf("a spent token gave %v", err)
	}
	return &joined{server: s, svid: svid, conn: s.connect(ctx, svid)}
}

func (j *joined) agentID() *types.SPIFFEID { return j.id(j.svid.ID.Path()) }

func (j *joined) register(ctx context.Context, paths ...string) []*types.Entry {
	j.t.Helper()
	var entries []*types.Entry
	for _, path := range paths {
		entries = append(entries, &types.Entry{
			SpiffeId:  j.id(path),
			ParentId:  j.agentID(),
			Selectors: []*types.Selector{{Type: "unix", Value: "uid:4242"}},
		})
	}
	answer, err := entryv1.NewEntryClient(j.local).BatchCreateEntry(ctx, &entryv1.BatchCreateEntryRequest{Entries: entries})
	if err != nil {
		j.t.Fatal(err)
	}
	var created []*types.Entry
	for _, result := range answer.Results {
		if codes.Code(result.Status.Code) != codes.OK {
			j.t.Fatalf("entry refused: %s", result.Status.Message)
		}
		created = append(created, result.Entry)
	}
	return created
}
