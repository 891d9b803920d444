// A child that speaks the framing wrongly, as one taken over by a segment might.

#include <unistd.h>

int main() {
    const char noise[] = "this is not a frame, whatever else it may be";
    while (write(3, noise, sizeof(noise)) > 0)
        usleep(10'000);  // pause: it babbles, it does not flood
    return 0;
}
