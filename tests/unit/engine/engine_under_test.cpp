// The child of the engine tests: what main() of the transcoder does with "__engine", and a few
// children that misbehave, chosen by the name the file is started under.

#include <string_view>

#include "transcoder/engine/engine_main.h"

int main(int argc, char** argv) {
    if (argc < 3 || std::string_view(argv[1]) != millrace::engine::kEngineArgument)
        return 64;
    millrace::engine::engine_main(argc, argv);
}
