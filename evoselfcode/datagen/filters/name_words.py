"""Words that say something about a function's name: data of :mod:`evoselfcode.datagen.filters.name_scores`.

This file decides which words count as technical terms, as verbs, as nouns that name an algorithm, and as signs of a
function without arguments. The lists are our own. A word that is missing costs a name a part of a score and no more.
"""

from __future__ import annotations

TECHNICAL = frozenset(
    """
    abs acyclic adler ahocorasick anagram anagrams argmax argmin args ascii astar async attr attrs avg backtrack
    backtracking balancing bellman bezier bfs bijective binarysearch binomial bisect bitcount bitmap bitmask bitwise
    bool bresenham bst btree bubblesort bytecode catalan cholesky cls codec coeff collatz combinatorial
    combinatorics conv convolve coord coords coprime coroutine coroutines cosine countingsort cpu crc csv ctx cumsum
    cumulative datetime decrypt dedupe deduplicate denominator deque dequeue deserialize determinant dfs dft dict
    dicts diff dijkstra dir divisor divisors docstring doubly dp edmonds eigenvalue eigenvector encrypt enqueue enum
    eof euclid euclidean euler eulerian exp factorial factorials factorization factorize fft fib fibonacci fisher
    fizzbuzz floodfill floyd func gaussian gcd getter grep hamiltonian hamming hanoi hashmap heapify heappop
    heappush heapsort hex histogram html http huffman idx ieee impl incr inorder insertionsort int interpolate
    interpolation interquartile intersects invertible ip isbn iter json kadane kahn karatsuba kmeans kmp knapsack
    knn knuth kruskal kth kwargs kwds lca lcm lcs leetcode len leq levelorder levenshtein lexicographic
    lexicographical lexicographically lhs linalg linkedlist lis lite lowercase lru lstrip lu luhn manacher manhattan
    markov matmul matrix max md5 median memo memoization memoize memoized mergesort mex mins mle modulo monotone
    monotonic monte mse multiset mutex nand newton nlogn nqueens nth num numpy obj ocr palindrome palindromes
    palindromic param params parens parser pascal permutation permutations permute pivot plaintext pollard polygon
    polynomial polynomials posix postfix postorder pow powerset prefixes preorder prim primality primes prims
    pythagorean quantile quaternion queens quickselect quicksort radix radixsort rand randint recurse recursion
    recursive regex relu repr reservoir rhs rle rmse rotations rsa rstrip runlength segtree selectionsort semiprime
    serialize sgd sha shellsort sieve sigmoid simplex sin softmax sort sorted splitter sqrt stddev stdin stdlib
    stdout str strassen strip strlen sub subarray subarrays sublist submatrix subprocess subseq subsequence
    subsequences subset subsets substr substring substrings sudoku sum superset svd symmetric tan tarjan tfidf
    timsort tokenize tokenizer topological toposort totient transpose traversal tribonacci trie tries trig truncate
    tsp tuple tuples tz unhashable unicode uniq unweighted uppercase url utf uuid val variance vars vec vertices
    viterbi voronoi vowels warshall weighted xml xor yaml zfill zigzag zscore
    """.split()  # noqa: SIM905 - a column of quotes and commas is no list to read or to mend
)
"""Terms that a dictionary of everyday language lacks or ranks as rare."""

VERBS = frozenset(
    """
    accumulate add adjust aggregate align all allocate analyze any append apply approximate are arrange assign
    average backtrack balance bin binarize build calc calculate can cap capitalize center change check choose chunk
    clamp clean clip cluster collapse collect color combine compact compare compress compute concat concatenate
    construct contains convert convolve copy correct count create crop cut cycle decode decompose decompress decrypt
    dedupe deduplicate delete derive detect determine difference differentiate discount distribute divide double
    drop edit eliminate encode encrypt enumerate equalize erase estimate evaluate exchange exclude expand explore
    exponentiate extend extract factor factorize fetch fib fill filter find fit fix flatten flip fold format
    generate get group has hash heapify highlight identify increment infer insert integrate interleave interpolate
    intersect intersperse invert is iterate join keep label left linearize list locate log lookup make map mask
    match max maximize mean measure median memoize merge min minimize mirror mix modify move multiply next normalize
    number order pack pad parse partition permute pick place plot pluck pop predict prepend prune pull push quantize
    raise randomize rank read rearrange rebalance reconstruct reduce refine relabel remove rename reorder repeat
    replace reshape resize resolve restore retrieve return reverse right rotate round sample scale scan score search
    segment select separate serialize set shift shorten should shrink shuffle simplify simulate skip slice smooth
    solve sort split square standardize strip sub subtract sum swap tally tokenize total transform translate
    transpose traverse trim truncate unflatten unify union unpack unwrap unzip update validate verify visit walk
    weave weigh word wrap zip
    """.split()  # noqa: SIM905
)
"""First words that say what a function does or asks."""

ALGORITHM_NOUNS = frozenset(
    """
    algorithm approximation array automaton average bfs cache change checksum cipher clustering code coefficient
    coefficients coloring combination combinations complement components compression conjecture convolution cost
    count cover crossing cycle cycles decoding decomposition depth derivative determinant deviation dfs difference
    digits dijkstra distance distances division divisor divisors dp duplicates editing elements encoding equation
    euclid expansion exponent exponential exponentiation factor factorial factorization factors fft fib fibonacci
    fill filter flow fractal function gcd generator graph hanoi hash heap height histogram hull index insertion
    integral integration interpolation intersection intersections intervals inverse island islands isomorphism
    iteration knapsack knn lcm length list log lookup lru map mapping match matching matrix max maximum mean median
    merge method min minimum mode model modulo multiplication multiset neighbors nodes norm notation number numbers
    numerals occurrences ocean order ordering palindrome palindromes parentheses parenthesis partition partitioning
    partitions path paths percentile permutation permutations pivot points polygon polynomial power powerset prefix
    prefixes prime primes probability problem product programming puzzle queens queue random range rank ratio
    recursion reduction regression relation representation residue reversal root roots rotation route sampling
    scheduling score search segment selection sequence series set shuffle sieve similarity simulation smallest
    solver sort sorted sorter sorting spiral split sqrt square squares stack steps string subarray subarrays
    subsequence subset subsets substring substrings subtraction sudoku sum sums swap table test totient tour
    transform transformation traversal tree triangle triangles trie triplet triplets tuple union value values
    variance vertices walk water weight window words xor
    """.split()  # noqa: SIM905
)
"""Last words that name an algorithm, a structure or a quantity."""

ARGUMENTLESS = frozenset(
    """
    app banner begin bye cleanup clear close configure connect demo disconnect done end example exit finalize finish
    game goodbye greet greeting hello helloworld help home index info init initialise initialize intro launch loop
    main mainloop menu now parseargs parsearguments parseoptions pass pause play program quit refresh reload reset
    restart resume run script setup shutdown start startup stop teardown tests tick today unittest usage version
    wait welcome
    """.split()  # noqa: SIM905
)
"""Whole names, underscores aside, of functions without arguments."""

ENTRY_VERBS = frozenset(
    """
    ask begin boot cleanup close configure connect create display do draw enter execute exit fetch finish get init
    initialise initialize launch load main make new open play prepare print prompt read refresh render reset restart
    run save setup show shutdown start stop tear test
    """.split()  # noqa: SIM905
)
"""First words that ask for no argument where nothing but :data:`SURROUNDINGS` follows."""

SURROUNDINGS = frozenset(
    """
    all api app application arg args arguments banner bot browser cli client command commands conf config configs
    configuration connection console context credentials current cwd database date datetime day db default defaults
    demo device directory down driver env environment experiment experiments game gui help home hostname info
    instructions interface keyboard logger logging logs loop main menu message mode mouse name now option options
    opts os page parser path pipeline platform plugins preferences process program project root schema screen script
    secrets server service session settings setup splash start state system task test tests thread time timestamp
    timezone today token tool ui unit up usage user username version web welcome window worker workers world
    """.split()  # noqa: SIM905
)
"""What surrounds a program rather than enters a function."""

FILLERS = frozenset(["algorithm", "algo", "implementation", "impl"])
"""Last words that make no other function of a name: ``dijkstra_algorithm`` is ``dijkstra``."""

DIRECTIONS = frozenset(["to", "from", "by", "into", "minus", "without", "before", "after"])
"""Words that give those around them a direction."""
