#pragma once
// POST /sign-in/challenge and POST /sign-in: an account's credential for whoever holds the Ethereum key of its name.
//
// Internal to orchestrator/front. Thread: any.

#include "common/http/router.h"
#include "orchestrator/front/context.h"

namespace millrace::orchestrator {

// With --auth accounts; without accounts there is nobody to sign in as.
void add_sign_in_routes(http::Router& router, const FrontContextPtr& context);

}  // namespace millrace::orchestrator
