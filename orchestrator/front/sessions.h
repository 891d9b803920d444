#pragma once
// POST /sessions and DELETE /sessions/{id}.
//
// Thread: routes run on edge threads, the port's callbacks on the loop.

#include "common/http/router.h"
#include "orchestrator/front/context.h"

namespace millrace::orchestrator {

void add_session_routes(http::Router& router, const FrontContextPtr& context);

}  // namespace millrace::orchestrator
