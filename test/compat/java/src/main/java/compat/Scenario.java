package compat;

/** What a program does with a broker, told in the transcript. */
interface Scenario {
    void run(Context context) throws Exception;

    /** Whether it came to its end; how long it took goes to standard error, with what failed. */
    default boolean completes(String name, Context context) {
        long startedAt = System.nanoTime();
        try {
            run(context);
            return true;
        } catch (Exception failure) {
            Transcript.emit(name + "/failed");
            failure.printStackTrace();
            return false;
        } finally {
            System.err.printf("%s: %d ms%n", name, (System.nanoTime() - startedAt) / 1_000_000);
        }
    }
}
