set terminal svg size 1100,1528 noenhanced background '#ffffff'
set output 'swap.svg'
set grid y
$cells << END
0 "activation relu, perp 0, sparse 0, prefix 0, val 0, indep 0" 1 0.984246 1 0.00166667 0.000457179 0.00605652 0 2.1684e-19 0.003191
1 "activation relu, perp 0, sparse 0, prefix 0, val 0, indep 0.01" 1 0.984246 1 0.0108333 0.00634189 0.0184466 0.0116667 0.00696217 0.0194877
2 "activation relu, perp 0, sparse 0, prefix 0, val 0.5, indep 0" 1 0.984246 1 0.00166667 0.000457179 0.00605652 0.00166667 0.000457179 0.00605652
3 "activation relu, perp 0, sparse 0, prefix 0, val 0.5, indep 0.01" 1 0.984246 1 0.0133333 0.00822363 0.0215489 0.0075 0.00395074 0.0141924
4 "activation relu, perp 0, sparse 0, prefix 0.1, val 0, indep 0" 1 0.984246 1 0.9825 0.973395 0.988526 0.751667 0.726445 0.775283
5 "activation relu, perp 0, sparse 0, prefix 0.1, val 0, indep 0.01" 1 0.984246 1 0.9825 0.973395 0.988526 0.751667 0.726445 0.775283
6 "activation relu, perp 0, sparse 0, prefix 0.1, val 0.5, indep 0" 1 0.984246 1 0.985 0.976414 0.990491 0.75 0.724729 0.773676
7 "activation relu, perp 0, sparse 0, prefix 0.1, val 0.5, indep 0.01" 1 0.984246 1 0.985 0.976414 0.990491 0.75 0.724729 0.773676
8 "activation relu, perp 0, sparse 0.01, prefix 0, val 0, indep 0" 1 0.984246 1 0.9825 0.973395 0.988526 0.744167 0.718727 0.768048
9 "activation relu, perp 0, sparse 0.01, prefix 0, val 0, indep 0.01" 1 0.984246 1 0.981667 0.972397 0.987862 0.744167 0.718727 0.768048
10 "activation relu, perp 0, sparse 0.01, prefix 0, val 0.5, indep 0" 1 0.984246 1 0.983333 0.974397 0.989185 0.743333 0.717871 0.767243
11 "activation relu, perp 0, sparse 0.01, prefix 0, val 0.5, indep 0.01" 1 0.984246 1 0.983333 0.974397 0.989185 0.743333 0.717871 0.767243
12 "activation relu, perp 0, sparse 0.01, prefix 0.1, val 0, indep 0" 1 0.984246 1 0.983333 0.974397 0.989185 0.7475 0.722156 0.771264
13 "activation relu, perp 0, sparse 0.01, prefix 0.1, val 0, indep 0.01" 1 0.984246 1 0.983333 0.974397 0.989185 0.7475 0.722156 0.771264
14 "activation relu, perp 0, sparse 0.01, prefix 0.1, val 0.5, indep 0" 1 0.984246 1 0.985 0.976414 0.990491 0.749167 0.723871 0.772872
15 "activation relu, perp 0, sparse 0.01, prefix 0.1, val 0.5, indep 0.01" 1 0.984246 1 0.985 0.976414 0.990491 0.749167 0.723871 0.772872
16 "activation relu, perp 1, sparse 0, prefix 0, val 0, indep 0" 1 0.984246 1 0.983333 0.974397 0.989185 0.745833 0.720442 0.769656
17 "activation relu, perp 1, sparse 0, prefix 0, val 0, indep 0.01" 1 0.984246 1 0.983333 0.974397 0.989185 0.745833 0.720442 0.769656
18 "activation relu, perp 1, sparse 0, prefix 0, val 0.5, indep 0" 1 0.984246 1 0.985833 0.97743 0.991136 0.7425 0.717014 0.766438
19 "activation relu, perp 1, sparse 0, prefix 0, val 0.5, indep 0.01" 1 0.984246 1 0.985833 0.97743 0.991136 0.743333 0.717871 0.767243
20 "activation relu, perp 1, sparse 0, prefix 0.1, val 0, indep 0" 1 0.984246 1 0.984167 0.975403 0.98984 0.750833 0.725587 0.774479
21 "activation relu, perp 1, sparse 0, prefix 0.1, val 0, indep 0.01" 1 0.984246 1 0.984167 0.975403 0.98984 0.7525 0.727303 0.776086
22 "activation relu, perp 1, sparse 0, prefix 0.1, val 0.5, indep 0" 1 0.984246 1 0.985833 0.97743 0.991136 0.75 0.724729 0.773676
23 "activation relu, perp 1, sparse 0, prefix 0.1, val 0.5, indep 0.01" 1 0.984246 1 0.985833 0.97743 0.991136 0.750833 0.725587 0.774479
24 "activation relu, perp 1, sparse 0.01, prefix 0, val 0, indep 0" 1 0.984246 1 0.983333 0.974397 0.989185 0.7475 0.722156 0.771264
25 "activation relu, perp 1, sparse 0.01, prefix 0, val 0, indep 0.01" 1 0.984246 1 0.983333 0.974397 0.989185 0.7475 0.722156 0.771264
26 "activation relu, perp 1, sparse 0.01, prefix 0, val 0.5, indep 0" 1 0.984246 1 0.984167 0.975403 0.98984 0.749167 0.723871 0.772872
27 "activation relu, perp 1, sparse 0.01, prefix 0, val 0.5, indep 0.01" 1 0.984246 1 0.984167 0.975403 0.98984 0.749167 0.723871 0.772872
28 "activation relu, perp 1, sparse 0.01, prefix 0.1, val 0, indep 0" 1 0.984246 1 0.9825 0.973395 0.988526 0.748333 0.723014 0.772068
29 "activation relu, perp 1, sparse 0.01, prefix 0.1, val 0, indep 0.01" 1 0.984246 1 0.9825 0.973395 0.988526 0.748333 0.723014 0.772068
30 "activation relu, perp 1, sparse 0.01, prefix 0.1, val 0.5, indep 0" 1 0.984246 1 0.986667 0.978451 0.991776 0.748333 0.723014 0.772068
31 "activation relu, perp 1, sparse 0.01, prefix 0.1, val 0.5, indep 0.01" 1 0.984246 1 0.986667 0.978451 0.991776 0.748333 0.723014 0.772068
32 "activation identity, perp 0, sparse 0, prefix 0, val 0, indep 0" 1 0.984246 1 0.00333333 0.00129701 0.00853939 0.00583333 0.0028285 0.0119919
33 "activation identity, perp 0, sparse 0, prefix 0, val 0, indep 0.01" 1 0.984246 1 0.01 0.00572958 0.0173976 0.015 0.00950901 0.0235863
34 "activation identity, perp 0, sparse 0, prefix 0, val 0.5, indep 0" 1 0.984246 1 0.00416667 0.00178102 0.00971672 0.005 0.0022935 0.0108656
35 "activation identity, perp 0, sparse 0, prefix 0, val 0.5, indep 0.01" 1 0.984246 1 0.01 0.00572958 0.0173976 0.0125 0.00758964 0.0205216
36 "activation identity, perp 0, sparse 0, prefix 0.1, val 0, indep 0" 1 0.984246 1 0.9675 0.955881 0.976136 0.518333 0.490049 0.5465
37 "activation identity, perp 0, sparse 0, prefix 0.1, val 0, indep 0.01" 1 0.984246 1 0.9675 0.955881 0.976136 0.518333 0.490049 0.5465
38 "activation identity, perp 0, sparse 0, prefix 0.1, val 0.5, indep 0" 1 0.984246 1 0.979167 0.969426 0.985849 0.651667 0.624265 0.678101
39 "activation identity, perp 0, sparse 0, prefix 0.1, val 0.5, indep 0.01" 1 0.984246 1 0.979167 0.969426 0.985849 0.651667 0.624265 0.678101
40 "activation identity, perp 0, sparse 0.01, prefix 0, val 0, indep 0" 1 0.984246 1 0.97 0.958748 0.978253 0.516667 0.488385 0.544842
41 "activation identity, perp 0, sparse 0.01, prefix 0, val 0, indep 0.01" 1 0.984246 1 0.969167 0.95779 0.977549 0.516667 0.488385 0.544842
42 "activation identity, perp 0, sparse 0.01, prefix 0, val 0.5, indep 0" 1 0.984246 1 0.98 0.970413 0.986524 0.655 0.627648 0.681363
43 "activation identity, perp 0, sparse 0.01, prefix 0, val 0.5, indep 0.01" 1 0.984246 1 0.98 0.970413 0.986524 0.654167 0.626802 0.680548
44 "activation identity, perp 0, sparse 0.01, prefix 0.1, val 0, indep 0" 1 0.984246 1 0.964167 0.952082 0.973289 0.515833 0.487552 0.544013
45 "activation identity, perp 0, sparse 0.01, prefix 0.1, val 0, indep 0.01" 1 0.984246 1 0.964167 0.952082 0.973289 0.516667 0.488385 0.544842
46 "activation identity, perp 0, sparse 0.01, prefix 0.1, val 0.5, indep 0" 1 0.984246 1 0.981667 0.972397 0.987862 0.631667 0.603996 0.658497
47 "activation identity, perp 0, sparse 0.01, prefix 0.1, val 0.5, indep 0.01" 1 0.984246 1 0.981667 0.972397 0.987862 0.631667 0.603996 0.658497
48 "activation identity, perp 1, sparse 0, prefix 0, val 0, indep 0" 1 0.984246 1 0.9725 0.961632 0.980352 0.520833 0.492547 0.548987
49 "activation identity, perp 1, sparse 0, prefix 0, val 0, indep 0.01" 1 0.984246 1 0.9725 0.961632 0.980352 0.52 0.491714 0.548158
50 "activation identity, perp 1, sparse 0, prefix 0, val 0.5, indep 0" 1 0.984246 1 0.954167 0.940816 0.964619 0.544167 0.515891 0.57216
51 "activation identity, perp 1, sparse 0, prefix 0, val 0.5, indep 0.01" 1 0.984246 1 0.954167 0.940816 0.964619 0.543333 0.515057 0.571334
52 "activation identity, perp 1, sparse 0, prefix 0.1, val 0, indep 0" 1 0.984246 1 0.969167 0.95779 0.977549 0.516667 0.488385 0.544842
53 "activation identity, perp 1, sparse 0, prefix 0.1, val 0, indep 0.01" 1 0.984246 1 0.969167 0.95779 0.977549 0.516667 0.488385 0.544842
54 "activation identity, perp 1, sparse 0, prefix 0.1, val 0.5, indep 0" 1 0.984246 1 0.98 0.970413 0.986524 0.646667 0.619193 0.673205
55 "activation identity, perp 1, sparse 0, prefix 0.1, val 0.5, indep 0.01" 1 0.984246 1 0.98 0.970413 0.986524 0.6475 0.620038 0.674021
56 "activation identity, perp 1, sparse 0.01, prefix 0, val 0, indep 0" 1 0.984246 1 0.965 0.953029 0.974003 0.510833 0.482561 0.539037
57 "activation identity, perp 1, sparse 0.01, prefix 0, val 0, indep 0.01" 1 0.984246 1 0.965 0.953029 0.974003 0.510833 0.482561 0.539037
58 "activation identity, perp 1, sparse 0.01, prefix 0, val 0.5, indep 0" 1 0.984246 1 0.980833 0.971403 0.987195 0.639167 0.611591 0.665855
59 "activation identity, perp 1, sparse 0.01, prefix 0, val 0.5, indep 0.01" 1 0.984246 1 0.980833 0.971403 0.987195 0.639167 0.611591 0.665855
60 "activation identity, perp 1, sparse 0.01, prefix 0.1, val 0, indep 0" 1 0.984246 1 0.960833 0.948306 0.970419 0.510833 0.482561 0.539037
61 "activation identity, perp 1, sparse 0.01, prefix 0.1, val 0, indep 0.01" 1 0.984246 1 0.960833 0.948306 0.970419 0.510833 0.482561 0.539037
62 "activation identity, perp 1, sparse 0.01, prefix 0.1, val 0.5, indep 0" 1 0.984246 1 0.981667 0.972397 0.987862 0.629167 0.601466 0.656043
63 "activation identity, perp 1, sparse 0.01, prefix 0.1, val 0.5, indep 0.01" 1 0.984246 1 0.981667 0.972397 0.987862 0.629167 0.601466 0.656043
END
set xrange [-0.02:1.05]
set yrange [64:-1]
set grid x
set xlabel 'share'
set key top outside horizontal
set lmargin 60
plot $cells using 3:($1+-0.2):4:5:ytic(2) with xerrorbars pt 7 ps 0.4 title 'read, test wordings', \
  $cells using 6:($1+0):7:8 with xerrorbars pt 7 ps 0.4 title 'swapped, test wordings', \
  $cells using 9:($1+0.2):10:11 with xerrorbars pt 7 ps 0.4 title 'swapped, unseen wordings'
