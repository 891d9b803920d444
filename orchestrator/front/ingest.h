#pragma once
// PUT and POST /live/{stream}/{name}: one upload from its head to its answer.
//
// What the head decides is answered before a byte of the body is read; then the body is read, hashed
// and sniffed as it arrives, handed to the loop, and answered when the loop says so. A client that
// leaves after its body was complete changes nothing of that.
//
// Thread: routes run on edge threads, the port's callbacks on the loop; an upload is touched by one
// at a time, in that order.

#include "common/http/router.h"
#include "orchestrator/front/context.h"

namespace millrace::orchestrator {

void add_ingest_routes(http::Router& router, const FrontContextPtr& context);

}  // namespace millrace::orchestrator
