package replan

import ("testing";"time";"fmt"
"tapetum.dev/tapetum/internal/simulate"
"tapetum.dev/tapetum/api/v1alpha1"
)
func TestQuick(t *testing.T){
 now:=time.Date(2026,1,1,0,0,0,0,time.UTC)
 for _,n:=range []int{2000,5000}{
 c:=Cluster{Autoscaler:&v1alpha1.RouteReflectorAutoscaler{},Nodes:simulate.Nodes(simulate.Options{Nodes:n,Zones:3,ZoneLabel:"topology.kubernetes.io/zone",Now:now}),DatastoreReady:true}
 s:=time.Now(); w:=Find(c,now); fmt.Println(n,len(w.Steps),w.Reached,w.Held,time.Since(s))
 if n==120 { for _,x:=range w.Steps{fmt.Println(x.Number,x.At,x.Action,x.Object,"|",x.Why,"|",x.Awaited,x.AwaitedWhat,"|",x.WaitsFor,x.Costs,x.Proof)}
 fmt.Printf("%+v\n",w.Status)}
 }
}
