package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"sync"
	"time"

	agentv1 "github.com/spiffe/spire-api-sdk/proto/spire/api/server/agent/v1"
	bundlev1 "github.com/spiffe/spire-api-sdk/proto/spire/api/server/bundle/v1"
	entryv1 "github.com/spiffe/spire-api-sdk/proto/spire/api/server/entry/v1"
	svidv1 "github.com/spiffe/spire-api-sdk/proto/spire/api/server/svid/v1"
	"github.com/spiffe/spire-api-sdk/proto/spire/api/types"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
)

// agent is one attested agent with its connection.
type agent struct {
	conn *grpc.ClientConn
	id   *types.SPIFFEID
}

func local(o options) (*grpc.ClientConn, error) {
	return grpc.NewClient("unix://"+o.serverSocket, grpc.WithTransportCredentials(insecure.NewCredentials()))
}

// dial skips the verification of the server: its cost is the client's, and not what is measured.
func dial(o options, certificate *tls.Certificate) (*grpc.ClientConn, error) {
	config := &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12, NextProtos: []string{"h2"}}
	if certificate != nil {
		config.Certificates = []tls.Certificate{*certificate}
	}
	return grpc.NewClient(o.serverAddress, grpc.WithTransportCredentials(credentials.NewTLS(config)))
}

func newCSR(key *ecdsa.PrivateKey) []byte {
	csr, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{
		Subject: pkix.Name{Country: []string{"US"}, Organization: []string{"SPIRE"}}}, key)
	if err != nil {
		panic(err)
	}
	return csr
}

func newKey() *ecdsa.PrivateKey {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	return key
}

// join makes a token, attests with it and connects again with the SVID.
func join(ctx context.Context, o options, admin *grpc.ClientConn) (*agent, error) {
	token, err := agentv1.NewAgentClient(admin).CreateJoinToken(ctx, &agentv1.CreateJoinTokenRequest{Ttl: 600})
	if err != nil {
		return nil, err
	}
	first, err := dial(o, nil)
	if err != nil {
		return nil, err
	}
	defer first.Close()
	key := newKey()
	stream, err := agentv1.NewAgentClient(first).AttestAgent(ctx)
	if err != nil {
		return nil, err
	}
	if err := stream.Send(&agentv1.AttestAgentRequest{Step: &agentv1.AttestAgentRequest_Params_{
		Params: &agentv1.AttestAgentRequest_Params{
			Data:   &types.AttestationData{Type: "join_token", Payload: []byte(token.Value)},
			Params: &agentv1.AgentX509SVIDParams{Csr: newCSR(key)},
		}}}); err != nil {
		return nil, err
	}
	answer, err := stream.Recv()
	if err != nil {
		return nil, err
	}
	svid := answer.GetResult().GetSvid()
	conn, err := dial(o, &tls.Certificate{Certificate: svid.CertChain, PrivateKey: key})
	if err != nil {
		return nil, err
	}
	if _, err := entryv1.NewEntryClient(conn).GetAuthorizedEntries(ctx, &entryv1.GetAuthorizedEntriesRequest{}); err != nil {
		return nil, err
	}
	return &agent{conn: conn, id: svid.Id}, nil
}

func joinAll(ctx context.Context, o options, admin *grpc.ClientConn) ([]*agent, error) {
	var joined []*agent
	for range o.agents {
		a, err := join(ctx, o, admin)
		if err != nil {
			return nil, err
		}
		joined = append(joined, a)
	}
	return joined, nil
}

func create(ctx context.Context, admin *grpc.ClientConn, parent *types.SPIFFEID, prefix string, from, count int) ([]string, error) {
	var entries []*types.Entry
	for i := from; i < from+count; i++ {
		entries = append(entries, &types.Entry{
			SpiffeId:  &types.SPIFFEID{TrustDomain: parent.TrustDomain, Path: fmt.Sprintf("/%s/%d", prefix, i)},
			ParentId:  parent,
			Selectors: []*types.Selector{{Type: "unix", Value: fmt.Sprintf("uid:%d", 100000+i)}, {Type: "unix", Value: "gid:100"}},
		})
	}
	answer, err := entryv1.NewEntryClient(admin).BatchCreateEntry(ctx, &entryv1.BatchCreateEntryRequest{
		Entries: entries, OutputMask: &types.EntryMask{}})
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, r := range answer.Results {
		if r.Status.Code != 0 {
			return nil, fmt.Errorf("entry: %s", r.Status.Message)
		}
		ids = append(ids, r.Entry.Id)
	}
	return ids, nil
}

// untilServed waits until the server serves an agent's new entries; SPIRE's cache takes seconds.
func untilServed(ctx context.Context, a *agent, count int) error {
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(200 * time.Millisecond) {
		answer, err := entryv1.NewEntryClient(a.conn).GetAuthorizedEntries(ctx, &entryv1.GetAuthorizedEntriesRequest{})
		if err != nil {
			return err
		}
		if len(answer.Entries) >= count {
			return nil
		}
	}
	return fmt.Errorf("the entries were not served within 30 s")
}

// prepared joins the agents and gives each o.batch entries.
func prepared(ctx context.Context, o options) ([]*agent, [][]string, error) {
	admin, err := local(o)
	if err != nil {
		return nil, nil, err
	}
	agents, err := joinAll(ctx, o, admin)
	if err != nil {
		return nil, nil, err
	}
	var ids [][]string
	for i, a := range agents {
		made, err := create(ctx, admin, a.id, fmt.Sprintf("load/%s/%d", a.id.Path[len(a.id.Path)-8:], i), 0, o.batch)
		if err != nil {
			return nil, nil, err
		}
		ids = append(ids, made)
	}
	for _, a := range agents {
		if err := untilServed(ctx, a, o.batch); err != nil {
			return nil, nil, err
		}
	}
	return agents, ids, nil
}

// spread lets every agent call until all operations are done, and collects the latencies.
func spread(agents []*agent, calls int, call func(i int) error) ([]float64, error) {
	var (
		mutex     sync.Mutex
		latencies []float64
		failed    error
		group     sync.WaitGroup
	)
	for i := range agents {
		group.Go(func() {
			for range calls / len(agents) {
				start := time.Now()
				err := call(i)
				mutex.Lock()
				latencies = append(latencies, milliseconds(start))
				if err != nil {
					failed = err
				}
				mutex.Unlock()
				if err != nil {
					return
				}
			}
		})
	}
	group.Wait()
	return latencies, failed
}

// x509SVIDs asks for X.509-SVIDs, o.batch a call.
func x509SVIDs(ctx context.Context, o options) (result, error) {
	agents, ids, err := prepared(ctx, o)
	if err != nil {
		return result{}, err
	}
	var requests []*svidv1.BatchNewX509SVIDRequest
	for i := range agents {
		request := &svidv1.BatchNewX509SVIDRequest{}
		for _, id := range ids[i] {
			request.Params = append(request.Params, &svidv1.NewX509SVIDParams{EntryId: id, Csr: newCSR(newKey())})
		}
		requests = append(requests, request)
	}
	ready()
	start := time.Now()
	latencies, err := spread(agents, o.count/o.batch, func(i int) error {
		answer, err := svidv1.NewSVIDClient(agents[i].conn).BatchNewX509SVID(ctx, requests[i])
		if err == nil && answer.Results[0].Status.Code != 0 {
			err = fmt.Errorf("%s", answer.Results[0].Status.Message)
		}
		return err
	})
	found := summarize(latencies, time.Since(start))
	found.Operations *= o.batch
	return found, err
}

// jwtSVIDs asks for JWT-SVIDs, one a call.
func jwtSVIDs(ctx context.Context, o options) (result, error) {
	agents, ids, err := prepared(ctx, o)
	if err != nil {
		return result{}, err
	}
	ready()
	start := time.Now()
	latencies, err := spread(agents, o.count, func(i int) error {
		_, err := svidv1.NewSVIDClient(agents[i].conn).NewJWTSVID(ctx, &svidv1.NewJWTSVIDRequest{
			EntryId: ids[i][0], Audience: []string{"load"}})
		return err
	})
	return summarize(latencies, time.Since(start)), err
}

// statuses makes the cheapest of the agents' calls: what the connection costs, with nothing behind it.
func statuses(ctx context.Context, o options) (result, error) {
	admin, err := local(o)
	if err != nil {
		return result{}, err
	}
	agents, err := joinAll(ctx, o, admin)
	if err != nil {
		return result{}, err
	}
	ready()
	start := time.Now()
	latencies, err := spread(agents, o.count, func(i int) error {
		_, err := agentv1.NewAgentClient(agents[i].conn).PostStatus(ctx, &agentv1.PostStatusRequest{})
		return err
	})
	return summarize(latencies, time.Since(start)), err
}

// joins lets nodes join, o.workers at once.
func joins(ctx context.Context, o options) (result, error) {
	admin, err := local(o)
	if err != nil {
		return result{}, err
	}
	ready()
	start := time.Now()
	latencies, err := spread(make([]*agent, o.workers), o.count, func(int) error {
		a, err := join(ctx, o, admin)
		if err == nil {
			err = a.conn.Close()
		}
		return err
	})
	return summarize(latencies, time.Since(start)), err
}

// register creates entries under one parent; extra is the rate, per second, of each tenth.
func register(ctx context.Context, o options) (result, error) {
	admin, err := local(o)
	if err != nil {
		return result{}, err
	}
	parent := &types.SPIFFEID{TrustDomain: o.trustDomain, Path: o.parent}
	ready()
	start := time.Now()
	var rates []float64
	tenth, mark := o.count/10, time.Now()
	for made := 0; made < o.count; made += o.batch {
		if _, err := create(ctx, admin, parent, "registered", o.first+made, min(o.batch, o.count-made)); err != nil {
			return result{}, err
		}
		if (made+o.batch)/tenth > made/tenth {
			rates = append(rates, float64(tenth)/time.Since(mark).Seconds())
			mark = time.Now()
		}
	}
	return result{Operations: o.count, Seconds: time.Since(start).Seconds(), Extra: rates}, nil
}

// poll holds agents connected as SPIRE's do: entries and bundle every five seconds.
func poll(ctx context.Context, o options) (result, error) {
	admin, err := local(o)
	if err != nil {
		return result{}, err
	}
	agents, err := joinAll(ctx, o, admin)
	if err != nil {
		return result{}, err
	}
	ready()
	ctx, cancel := context.WithTimeout(ctx, o.hold)
	defer cancel()
	var group sync.WaitGroup
	for i, a := range agents {
		group.Go(func() {
			time.Sleep(time.Duration(i) * 5 * time.Second / time.Duration(len(agents)))
			for ctx.Err() == nil {
				stream, err := entryv1.NewEntryClient(a.conn).SyncAuthorizedEntries(ctx)
				if err == nil {
					_ = stream.Send(&entryv1.SyncAuthorizedEntriesRequest{})
					_, _ = stream.Recv()
					_ = stream.CloseSend()
				}
				_, _ = bundlev1.NewBundleClient(a.conn).GetBundle(ctx, &bundlev1.GetBundleRequest{})
				select {
				case <-ctx.Done():
				case <-time.After(5 * time.Second):
				}
			}
		})
	}
	group.Wait()
	return result{Operations: len(agents), Seconds: o.hold.Seconds()}, nil
}
